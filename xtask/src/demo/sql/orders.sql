-- Three rows in tables that refer to customers for each customer.
CREATE TABLE public.orders (
    id          bigint NOT NULL,
    customer_id bigint NOT NULL,
    ordered_at  timestamptz NOT NULL,
    status      text NOT NULL,
    total       numeric(10,2) NOT NULL,
    ship_name   text NOT NULL,
    ship_street text NOT NULL
);

INSERT INTO public.orders
SELECT i, c, timestamptz '2025-01-01 00:00+00' + i * interval '20 seconds',
    pg_temp.pick('{open,paid,paid,sent,sent,sent,returned}', i, 21),
    pg_temp.roll(i, 22, 90000)::numeric / 100 + 1,
    pg_temp.first_name(c) || ' ' || pg_temp.last_name(c),
    pg_temp.street(c, 6)
FROM (SELECT i, 1 + pg_temp.roll(i, 20, :customers) AS c
      FROM generate_series(1, :customers::bigint * 3 / 2) AS i) AS numbered;

ALTER TABLE public.orders ADD PRIMARY KEY (id);
CREATE INDEX orders_customer ON public.orders (customer_id, ordered_at);
CREATE INDEX orders_open ON public.orders (ordered_at) WHERE status = 'open';

CREATE TABLE public.payments (
    id       bigint NOT NULL,
    order_id bigint NOT NULL,
    paid_at  date NOT NULL,
    amount   numeric(10,2) NOT NULL,
    method   text NOT NULL,
    card     char(19),
    PRIMARY KEY (id, paid_at)
) PARTITION BY RANGE (paid_at);
CREATE TABLE public.payments_2025_q1 PARTITION OF public.payments
    FOR VALUES FROM ('2025-01-01') TO ('2025-04-01');
CREATE TABLE public.payments_2025_q2 PARTITION OF public.payments
    FOR VALUES FROM ('2025-04-01') TO ('2025-07-01');
CREATE TABLE public.payments_later PARTITION OF public.payments DEFAULT;

INSERT INTO public.payments
SELECT i, i, date '2025-01-01' + (i / 4321)::integer, pg_temp.roll(i, 22, 90000)::numeric / 100 + 1,
    CASE WHEN i % 3 > 0 THEN 'card' ELSE 'transfer' END,
    CASE WHEN i % 3 > 0 THEN '4' || lpad((i * 4817 % 1000)::text, 3, '0')
        || ' ' || lpad((i * 7127 % 10000)::text, 4, '0')
        || ' ' || lpad((i * 3571 % 10000)::text, 4, '0')
        || ' ' || lpad((i % 10000)::text, 4, '0') END
FROM generate_series(1, :customers::bigint * 9 / 10) AS i;

CREATE INDEX payments_order ON public.payments (order_id);
CREATE INDEX payments_card ON public.payments (card) WHERE card IS NOT NULL;

CREATE SCHEMA support;
CREATE TABLE support.tickets (
    id            bigint NOT NULL,
    customer_no   text NOT NULL,
    opened_at     timestamp NOT NULL,
    subject       text NOT NULL,
    contact_email text NOT NULL,
    session       uuid NOT NULL,
    message       text NOT NULL
);

INSERT INTO support.tickets
SELECT i, pg_temp.customer_no(c), timestamp '2025-01-01' + i * interval '50.000173 seconds',
    pg_temp.pick('{late parcel,wrong size,refund,invoice,password,other}', i, 32),
    pg_temp.email(c), md5(i::text || 'session')::uuid,
    pg_temp.pick(:note_beginnings, i, 33) || ' ' || pg_temp.email(c)
        || ', ' || pg_temp.pick(:note_endings, i, 34)
FROM (SELECT i, 1 + pg_temp.roll(i, 31, :customers) AS c
      FROM generate_series(1, :customers::bigint * 3 / 5) AS i) AS numbered;

ALTER TABLE support.tickets ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX tickets_session ON support.tickets (session);
CREATE INDEX tickets_customer_no ON support.tickets (customer_no);
