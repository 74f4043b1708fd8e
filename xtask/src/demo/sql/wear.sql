-- What years of use leave: references, changed and deleted rows, a column that is gone.
ALTER TABLE public.customers ADD FOREIGN KEY (referred_by) REFERENCES public.customers (id);
ALTER TABLE public.orders ADD FOREIGN KEY (customer_id) REFERENCES public.customers (id);
ALTER TABLE public.payments ADD FOREIGN KEY (order_id) REFERENCES public.orders (id);
ALTER TABLE support.tickets
    ADD FOREIGN KEY (customer_no) REFERENCES public.customers (customer_no);

ALTER TABLE public.customers DROP COLUMN national_id;
UPDATE public.customers SET email = 'new.' || email, phone = NULL WHERE id % 40 = 1;
UPDATE support.tickets SET message = 'answered on the phone, ' || contact_email WHERE id % 50 = 1;
DELETE FROM public.customers WHERE id > :customers;

CREATE ROLE shop_app LOGIN PASSWORD 'the-production-password';
ALTER SYSTEM SET primary_conninfo = 'host=standby.example password=the-standby-password';
