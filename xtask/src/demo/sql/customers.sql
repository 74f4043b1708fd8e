-- One transaction: a table that it creates and fills needs no WAL under wal_level = minimal.
CREATE TABLE public.customers (
    id          bigint NOT NULL,
    customer_no text NOT NULL,
    national_id text,
    first_name  text NOT NULL,
    last_name   text NOT NULL,
    email       text NOT NULL,
    phone       varchar(24),
    street      text NOT NULL,
    city        text NOT NULL,
    born        date,
    balance     numeric(12,2) NOT NULL,
    is_business boolean NOT NULL,
    company     text,
    note        text,
    referred_by bigint,
    created_at  timestamptz NOT NULL,
    CONSTRAINT balance_within_limit CHECK (balance > -1000000)
);

-- The last hundredth has no orders, so that it can be deleted later.
INSERT INTO public.customers
SELECT i, pg_temp.customer_no(i),
    'NI' || lpad((i * 7919 % 1000000000)::text, 9, '0') || pg_temp.pick('{A,B,C,D}', i, 4),
    pg_temp.first_name(i), pg_temp.last_name(i), pg_temp.email(i),
    CASE WHEN i % 11 > 0 THEN pg_temp.pick('{+44,+49,+33,+39}', i, 5)
        || ' 7' || lpad((i * 48271 % 1000)::text, 3, '0')
        || ' ' || lpad(((i * 9176 + 31415926) % 100000000)::text, 8, '0') END,
    pg_temp.street(i, 6), pg_temp.pick(:cities, i, 8),
    CASE WHEN i % 13 > 0 THEN date '1940-01-01' + pg_temp.roll(i, 9, 24000) END,
    CASE WHEN i % 29 = 0 THEN -1 ELSE 1 END * (1000000 + pg_temp.roll(i, 10, 8000000))::numeric / 100,
    i % 10 = 0,
    CASE WHEN i % 10 = 0 THEN pg_temp.last_name(i + 1) || ' ' || pg_temp.pick(:trades, i, 11) END,
    CASE WHEN i % 4 = 0 THEN
        pg_temp.first_name(i) || ' ' || pg_temp.pick(:note_beginnings, i, 12)
        || ' ' || i::text || ', ' || pg_temp.pick(:note_endings, i, 13) END,
    CASE WHEN i > 100 AND i % 5 = 0 THEN i / 3 + 1 END,
    timestamptz '2018-01-01 00:00+00' + i * interval '3 minutes'
FROM generate_series(1, :customers::bigint + :customers / 100) AS i;

ALTER TABLE public.customers ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX customers_customer_no ON public.customers (customer_no);
CREATE INDEX customers_email ON public.customers (email);
CREATE INDEX customers_lower_email ON public.customers (lower(email));
CREATE INDEX customers_name_born ON public.customers (last_name, first_name, born);
CREATE INDEX customers_business_phone ON public.customers (phone) WHERE is_business;
CREATE INDEX customers_created_at ON public.customers (created_at);
CREATE INDEX customers_referred_by ON public.customers (referred_by);
