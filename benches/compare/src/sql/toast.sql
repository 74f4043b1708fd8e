-- More than 4 GB out of line: values of 2 KB, and of up to 200 MB, compressed and not.
CREATE TABLE public.documents (id bigint NOT NULL, plain text NOT NULL, packed text NOT NULL);
ALTER TABLE public.documents
    ALTER COLUMN plain SET STORAGE EXTERNAL,
    ALTER COLUMN packed SET STORAGE EXTENDED;

-- 750,000 values of 2 to 2.4 KB.
INSERT INTO public.documents
SELECT i, repeat(md5(i::text) || ' ', 62 + (i % 13)::integer), ''
FROM generate_series(1, 750000) AS i;

-- 300 of 0.6 MB, compressed.
INSERT INTO public.documents
SELECT 1000000 + i, '', string_agg(md5((i * 20000 + j)::text) || left(md5((i * 20000 + j)::text), 20), ' ')
FROM generate_series(1, 300) AS i, generate_series(1, 11000) AS j
GROUP BY i;

-- 8 of 198 MB and 4 as large, compressed.
INSERT INTO public.documents
SELECT 2000000 + i, string_agg(md5((i::bigint * 10000000 + j)::text), ' '), ''
FROM generate_series(1, 8) AS i, generate_series(1, 6000000) AS j
GROUP BY i;
INSERT INTO public.documents
SELECT 3000000 + i, '', string_agg(md5((i::bigint * 10000000 + j)::text) || left(md5((i::bigint * 10000000 + j)::text), 20), ' ')
FROM generate_series(1, 4) AS i, generate_series(1, 3700000) AS j
GROUP BY i;
