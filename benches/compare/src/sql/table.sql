-- About 190 bytes a row: 3 million rows are about 600 MB.
CREATE TABLE public.people (
    id         bigint NOT NULL,
    email      text NOT NULL,
    first_name text NOT NULL,
    last_name  text NOT NULL,
    phone      text NOT NULL,
    born       date NOT NULL,
    status     text NOT NULL,
    amount     numeric(12,2) NOT NULL,
    remarks    text NOT NULL,
    created_at timestamptz NOT NULL
);

INSERT INTO public.people
SELECT i,
    lower(first) || '.' || lower(last) || i || '@mailbox.example',
    first, last,
    '+44 7' || lpad((i * 48271 % 1000)::text, 3, '0')
        || ' ' || lpad(((i * 9176 + 31415926) % 100000000)::text, 8, '0'),
    date '1940-01-01' + (hashint8extended(i, 1) & 16383)::integer,
    (ARRAY['new', 'active', 'dormant', 'closed'])[1 + i % 4],
    (hashint8extended(i, 2) & 1048575)::numeric / 100,
    repeat(md5(i::text), 2),
    timestamptz '2020-01-01 00:00+00' + i * interval '40 seconds'
FROM (
    SELECT i,
        ('{Agnes,Ahmed,Beatriz,Bruno,Camille,Carlos,Daniel,Elias,Fatima,Felix,Greta,Hannah,Ingrid,Johanna,Katarina,Lucia}'::text[])
            [1 + (hashint8extended(i, 3) & 15)] AS first,
        ('{Almeida,Andersson,Becker,Bianchi,Costa,Dubois,Edwards,Ferrari,Fischer,Hoffmann,Jensen,Kowalski,Lindgren,Novak,Okafor,Schneider}'::text[])
            [1 + (hashint8extended(i, 4) & 15)] AS last
    FROM generate_series(1, :rows::bigint) AS i
) AS named;

-- Three indexes, two of them over masked columns.
ALTER TABLE public.people ADD PRIMARY KEY (id);
CREATE INDEX people_email ON public.people (email);
CREATE INDEX people_name ON public.people (last_name, first_name);
