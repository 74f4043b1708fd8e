-- A production database in small. Originals are made of md5, so that no dictionary holds them.
-- What only dead or dropped bytes hold contains one of: zqdeadrow, zqdropcol, zqaborted.
-- Separate batches by a line of two hyphens.
CREATE SCHEMA crm;
CREATE DOMAIN person_name AS text CHECK (length(VALUE) < 200);
CREATE FUNCTION word(seed text, size integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(translate(md5(seed) || md5(seed || '!'), '0123456789', 'ghijklmnop'), 1, size)
$$;

CREATE TABLE customers (
    id        integer PRIMARY KEY,
    code      varchar(12) NOT NULL,
    ghost     text,
    email     text,
    first_name text,
    last_name varchar(40),
    full_name person_name,
    phone     text,
    street    text,
    city      text,
    company   text,
    note      text,
    secret    text,
    plan      text,
    card      varchar(16) CHECK (length(card) = 16),
    initials  char(8),
    score     smallint,
    rank      integer,
    big       bigint,
    credit    numeric(24, 4),
    height    real,
    weight    double precision,
    active    boolean,
    ghost2    bigint,
    born      date,
    seen      timestamp,
    joined    timestamptz,
    wakes     time,
    token     uuid,
    kind      text
) WITH (fillfactor = 80);

INSERT INTO customers
SELECT i,
       'C' || upper(word('code' || i, 3)) || '-' || lpad((i * 7919 % 10000000)::text, 7, '0'),
       'zqdropcol' || i,
       CASE WHEN i % 11 <> 0 THEN word('e' || i, 6 + i % 9) || '.x@' || word('h' || i % 50, 9) || '.com' END,
       CASE i % 10
           WHEN 0 THEN 'Éloïse' || word('f' || i, 4) WHEN 1 THEN 'Владимир'
           WHEN 2 THEN 'Ἀλέξανδρος' WHEN 3 THEN '小林健一郎' WHEN 4 THEN NULL
           ELSE initcap(word('f' || i, 2 + i % 12)) END,
       CASE WHEN i % 13 <> 0 THEN initcap(word('l' || i, 3 + i % 20)) END,
       initcap(word('n' || i, 6)) || ' ' || initcap(word('m' || i, 4 + i % 9)),
       '+49 ' || 100 + i % 900 || ' ' || 1000000 + i * 7907 % 9000000,
       (i % 300) || ' ' || initcap(word('s' || i, 9)) || ' Street',
       CASE WHEN i % 6 <> 0 THEN initcap(word('c' || i % 700, 8 + i % 5)) END,
       initcap(word('k' || i, 10)) || ' & Söhne GmbH',
       CASE WHEN i % 3 <> 0 THEN word('t' || i, 20) || ' 🙂 ' || repeat(word('u' || i, 31) || ', ', i % 8) END,
       word('secret' || i, 8 + i % 30),
       word('plan' || i, 9 + i % 3),
       lpad((i::bigint * 99999989)::text, 16, '4'),
       word('ini' || i, 3 + i % 6),
       CASE WHEN i % 5 <> 0 THEN (i * 31 % 30000)::smallint - 10000 END,
       i * 104729 % 2000000011 - 500000000,
       CASE WHEN i % 4 <> 0 THEN i * 922337203685477::bigint + 1234567 END,
       CASE WHEN i % 17 <> 0 THEN i * 98765432.1234 - 123456789012.3456 END,
       1.4 + i % 70 / 100.0,
       40 + i * 0.7310585786300049,
       CASE WHEN i % 8 <> 0 THEN i % 2 = 0 END,
       i,
       CASE WHEN i % 9 <> 0 THEN date '1940-01-01' + i * 17 % 25000 END,
       timestamp '2020-01-01' + i * interval '7919.123457 s',
       timestamptz '2015-01-01 00:00:00+00' + i * interval '104729.654321 s',
       time '00:00' + i * interval '10.7 s',
       md5('token' || i)::uuid,
       CASE WHEN i % 2 = 0 THEN 'private' ELSE 'business' END
FROM generate_series(1, 6000) AS i;
ALTER TABLE customers DROP COLUMN ghost;
ALTER TABLE customers DROP COLUMN ghost2;
--
-- Rows from before these columns have fewer attributes; one column has a missing value.
ALTER TABLE customers ADD COLUMN late text;
ALTER TABLE customers ADD COLUMN tier text DEFAULT 'zworiginaltier';
INSERT INTO customers (id, code, email, card, late, tier)
SELECT i, 'L' || upper(word('code' || i, 3)) || '-' || lpad(i::text, 7, '0'),
       word('e' || i, 9) || '@' || word('h' || i, 8) || '.org', lpad((i * 99999989::bigint)::text, 16, '7'),
       word('late' || i, 8 + i % 9), word('tier' || i, 12)
FROM generate_series(6001, 8000) AS i;

CREATE UNIQUE INDEX customers_code_key ON customers (code);
CREATE UNIQUE INDEX customers_token_key ON customers (token);
CREATE UNIQUE INDEX customers_big_key ON customers (big) WHERE big IS NOT NULL;
CREATE INDEX customers_email_lower ON customers (lower(email));
CREATE INDEX customers_active ON customers (last_name) WHERE active;
CREATE INDEX customers_vip ON customers (id) WHERE email LIKE '%.x@%';
CREATE INDEX customers_include ON customers (kind) INCLUDE (phone);
CREATE INDEX customers_pair ON customers (city, id DESC);
CREATE INDEX customers_hash ON customers USING hash (email);
CREATE INDEX customers_brin ON customers USING brin (joined);
CREATE INDEX customers_gin ON customers USING gin (to_tsvector('simple', note));
CREATE INDEX customers_gist ON customers USING gist (to_tsvector('simple', company));
CREATE INDEX customers_spgist ON customers USING spgist (secret);
CREATE STATISTICS customers_mcv (mcv) ON city, kind FROM customers;
ALTER TABLE customers ALTER COLUMN email SET STATISTICS 500;

CREATE TABLE orders (
    id            bigint PRIMARY KEY,
    customer_id   integer NOT NULL REFERENCES customers,
    customer_code varchar(12) REFERENCES customers (code),
    ship_to       text,
    placed        timestamptz
);
INSERT INTO orders
SELECT i, 1 + i % 8000, c.code, CASE WHEN i % 4 <> 0 THEN (i % 99) || ' ' || word('ship' || i, 18) END,
       timestamptz '2022-01-01 00:00:00+00' + i * interval '613.001003 s'
FROM generate_series(1, 20000) AS i JOIN customers AS c ON c.id = 1 + i % 8000;
CREATE INDEX orders_code ON orders (customer_code);

-- A composite key, masked in both parts.
CREATE TABLE sites (region varchar(6), site varchar(14), title text, PRIMARY KEY (region, site));
INSERT INTO sites
SELECT upper(word('r' || i % 9, 6)), 'site-' || word('q' || i, 9), word('title' || i, 15)
FROM generate_series(1, 500) AS i;
CREATE TABLE visits_to_site (
    id integer PRIMARY KEY, region varchar(6), site varchar(14),
    FOREIGN KEY (region, site) REFERENCES sites (region, site)
);
INSERT INTO visits_to_site
SELECT row_number() OVER (), region, site FROM sites, generate_series(1, 4);

-- A reference to itself, and a chain of references to that.
CREATE TABLE crm.staff (
    badge varchar(10) PRIMARY KEY, boss varchar(10) REFERENCES crm.staff, full_name text
);
INSERT INTO crm.staff
SELECT 'B' || word('badge' || i, 9), CASE WHEN i > 1 THEN 'B' || word('badge' || i / 2, 9) END,
       initcap(word('sf' || i, 8)) || ' ' || initcap(word('sl' || i, 8))
FROM generate_series(1, 400) AS i;
CREATE TABLE crm.cards (badge varchar(10) PRIMARY KEY REFERENCES crm.staff, issued date);
INSERT INTO crm.cards SELECT badge, date '2021-01-01' FROM crm.staff;
CREATE TABLE crm.uses (id integer PRIMARY KEY, badge varchar(10) REFERENCES crm.cards);
INSERT INTO crm.uses
SELECT row_number() OVER (), badge FROM crm.cards, generate_series(1, 3);

-- Equal values in two tables: one domain.
CREATE TABLE crm.contacts (id integer PRIMARY KEY, email text, token uuid);
INSERT INTO crm.contacts SELECT id, email, token FROM customers WHERE id % 2 = 0;

-- Partitions, one with another order of columns and a dropped one.
CREATE TABLE visits (day date NOT NULL, who text, pages integer, ip text) PARTITION BY RANGE (day);
CREATE TABLE visits_2021 PARTITION OF visits FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE visits_2022 (ip text, junk text, pages integer, day date NOT NULL, who text);
INSERT INTO visits_2022
SELECT word('ip' || i, 12), 'zqdropcol' || i, i, date '2022-01-01' + i % 365, word('who' || i, 11)
FROM generate_series(1, 2000) AS i;
ALTER TABLE visits_2022 DROP COLUMN junk;
ALTER TABLE visits ATTACH PARTITION visits_2022 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
INSERT INTO visits
SELECT date '2021-01-01' + i % 365, word('whi' || i, 11), i, word('iq' || i, 12)
FROM generate_series(1, 2000) AS i;
CREATE INDEX visits_who ON visits (who);

CREATE UNLOGGED TABLE session_cache (id integer PRIMARY KEY, email text);
INSERT INTO session_cache SELECT id, email FROM customers WHERE id % 3 = 0;

CREATE MATERIALIZED VIEW mailing AS SELECT id, email, city FROM customers WHERE email IS NOT NULL;
CREATE INDEX mailing_email ON mailing (email);
CREATE VIEW addresses AS SELECT street, city FROM customers;
--
-- Dead rows, heap-only updates, aborted rows; nothing is vacuumed.
UPDATE customers SET email = 'zqdeadrow' || id || '@' || word('dead' || id, 9) || '.com' WHERE id % 5 = 1;
--
UPDATE customers SET email = word('again' || id, 9) || '@' || word('h' || id, 10) || '.net' WHERE id % 5 = 1;
--
UPDATE customers SET score = score + 1, late = word('late' || id, 14) WHERE id % 7 = 2;
--
INSERT INTO crm.contacts SELECT i, 'zqdeadrow' || i || '@gone.example', NULL FROM generate_series(100001, 101000) AS i;
DELETE FROM crm.contacts WHERE id > 100000;
DELETE FROM orders WHERE id % 9 = 4;
--
BEGIN;
INSERT INTO crm.contacts SELECT i, 'zqaborted' || i || '@never.example', NULL FROM generate_series(200001, 200500) AS i;
UPDATE customers SET note = 'zqaborted' || id || ' note' WHERE id % 50 = 3;
ROLLBACK;
--
-- Secrets and residue that are not in tables.
CREATE ROLE app LOGIN PASSWORD 'zqapppassword';
CREATE ROLE legacy LOGIN PASSWORD 'md5aabbccddeeff00112233445566778899';
--
ALTER SYSTEM SET primary_conninfo = 'host=production.example password=zqconninfopassword';
--
SELECT pg_create_physical_replication_slot('standby', true);
--
SELECT count(*) FROM customers WHERE email = (SELECT email FROM customers WHERE id = 42);
