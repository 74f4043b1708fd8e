-- What a user would run instead: keyed, deterministic, plausible, one pass over the table.
UPDATE public.people SET
    email      = left(md5('key' || email), 16) || '@masked.example',
    first_name = ('{Alma,Anton,Bela,Boris,Carla,David,Eva,Fritz,Gina,Hans,Inga,Jan,Karl,Lena,Max,Nele}'::text[])
                     [1 + (hashtextextended(first_name, 11) & 15)],
    last_name  = ('{Adler,Bauer,Christ,Decker,Ernst,Frank,Geiger,Huber,Jung,Kern,Lorenz,Maurer,Otto,Peters,Reuter,Simon}'::text[])
                     [1 + (hashtextextended(last_name, 12) & 15)],
    phone      = '+44 7' || lpad((hashtextextended(phone, 13) & 1048575)::text, 11, '0'),
    born       = born + (hashint8extended(id, 14) & 63)::integer - 32;
