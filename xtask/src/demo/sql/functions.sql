-- For the session that generates; gone with it.
-- A die with so many sides, thrown for row i; the same every time.
CREATE FUNCTION pg_temp.roll(i bigint, seed bigint, sides integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT ((hashint8extended(i, seed) & 2147483647) % sides)::integer $$;

CREATE FUNCTION pg_temp.pick(words text[], i bigint, seed bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT words[1 + pg_temp.roll(i, seed, cardinality(words))] $$;

-- Unique: 48271 is prime, so that the digits don't repeat within 100 million rows.
CREATE FUNCTION pg_temp.customer_no(i bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT translate(left(md5(i::text), 4), '0123456789abcdef', 'ABCDEFGHJKLMNPQR')
        || '-' || lpad(((i * 48271 + 12345678) % 100000000)::text, 8, '0') $$;

CREATE FUNCTION pg_temp.first_name(i bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_temp.pick(:first_names, i, 1) $$;

CREATE FUNCTION pg_temp.last_name(i bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_temp.pick(:last_names, i, 2) $$;

CREATE FUNCTION pg_temp.email(i bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT lower(pg_temp.first_name(i)) || '.' || lower(pg_temp.last_name(i)) || i::text
        || '@' || pg_temp.pick(:mail_hosts, i, 3) $$;

CREATE FUNCTION pg_temp.street(i bigint, seed bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT (1 + pg_temp.roll(i, seed, 420))::text || ' ' || pg_temp.pick(:streets, i, seed + 1) $$;
