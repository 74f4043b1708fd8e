-- The table written anew, masked by functions in SQL, which the planner takes into the query; then
-- what belongs to it, and statistics. Nothing is logged: the table is of the same transaction.
CREATE FUNCTION public.mask_email(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT left(md5('key' || $1), 16) || '@masked.example' $$;
CREATE FUNCTION public.mask_first(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ('{Alma,Anton,Bela,Boris,Carla,David,Eva,Fritz,Gina,Hans,Inga,Jan,Karl,Lena,Max,Nele}'::text[])
              [1 + (hashtextextended($1, 11) & 15)] $$;
CREATE FUNCTION public.mask_last(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ('{Adler,Bauer,Christ,Decker,Ernst,Frank,Geiger,Huber,Jung,Kern,Lorenz,Maurer,Otto,Peters,Reuter,Simon}'::text[])
              [1 + (hashtextextended($1, 12) & 15)] $$;
CREATE FUNCTION public.mask_phone(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT '+44 7' || lpad((hashtextextended($1, 13) & 1048575)::text, 11, '0') $$;
CREATE FUNCTION public.mask_born(date, bigint) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 + (hashint8extended($2, 14) & 63)::integer - 32 $$;

BEGIN;
CREATE TABLE public.rewritten AS
SELECT id, mask_email(email) AS email, mask_first(first_name) AS first_name,
    mask_last(last_name) AS last_name, mask_phone(phone) AS phone, mask_born(born, id) AS born,
    status, amount, remarks, created_at
FROM public.people;
ALTER TABLE public.rewritten
    ALTER id SET NOT NULL, ALTER email SET NOT NULL, ALTER first_name SET NOT NULL,
    ALTER last_name SET NOT NULL, ALTER phone SET NOT NULL, ALTER born SET NOT NULL,
    ALTER status SET NOT NULL, ALTER amount SET NOT NULL, ALTER remarks SET NOT NULL,
    ALTER created_at SET NOT NULL;
DROP TABLE public.people;
ALTER TABLE public.rewritten RENAME TO people;
ALTER TABLE public.people ADD PRIMARY KEY (id);
CREATE INDEX people_email ON public.people (email);
CREATE INDEX people_name ON public.people (last_name, first_name);
COMMIT;
VACUUM (ANALYZE) public.people;
