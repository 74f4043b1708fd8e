//! The catalog reader and the planner on a real PostgreSQL server.

mod server;

use std::collections::BTreeSet;

use thinveil::cluster::catalog::{Catalog, RelationKind};
use thinveil::plan::{Action, DatabasePlan, MaskPlan, RelationPlan, plan, suggest};
use thinveil::rules::{MaskName, RuleSet};
use thinveil::{Error, Refusal};

use server::Server;

const SHOP: &str = r#"
CREATE SCHEMA crm;
CREATE DOMAIN email_text AS text CHECK (VALUE ~ '@');
CREATE DOMAIN short_text AS varchar(40) CHECK (length(VALUE) < 40);
CREATE DOMAIN nested AS short_text;
CREATE TABLE customers (
    id bigint PRIMARY KEY,
    gone text,
    email email_text UNIQUE,
    first_name nested,
    phone varchar(30) CHECK (phone <> '' AND length(phone) < 30),
    born date CHECK (born > '1900-01-01'),
    balance numeric(12,2),
    tags text[],
    full_text text GENERATED ALWAYS AS (first_name || ' ' || phone) STORED,
    referrer bigint REFERENCES customers (id)
);
ALTER TABLE customers DROP COLUMN gone;
INSERT INTO customers (id) VALUES (1);
ALTER TABLE customers ADD COLUMN tier text DEFAULT 'new';
CREATE INDEX customers_lower_phone ON customers (lower(phone));
CREATE INDEX customers_born ON customers (balance) INCLUDE (id) WHERE born IS NOT NULL;
CREATE INDEX customers_whole ON customers ((customers IS NOT NULL));
CREATE UNIQUE INDEX customers_lower_tier ON customers (lower(tier));
CREATE STATISTICS customers_stats ON first_name, phone FROM customers;
CREATE TABLE crm.orders (
    id bigint PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers (id),
    note text
);
CREATE TABLE crm.lines (order_id bigint REFERENCES crm.orders (id), customer_id int, amount float8);
CREATE TABLE events (id bigint, at date, who text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE events_b (who text, dropped int, at date NOT NULL, id bigint NOT NULL);
ALTER TABLE events_b DROP COLUMN dropped;
ALTER TABLE events ATTACH PARTITION events_b FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX events_who ON events (who);
CREATE TABLE hashed (code text, n int) PARTITION BY HASH (lower(code));
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE base_note (id int, body text);
CREATE TABLE child_note (extra text) INHERITS (base_note);
CREATE TABLE booking (room int, EXCLUDE USING btree (room WITH =));
CREATE UNLOGGED TABLE scratch (line text);
CREATE VIEW customer_view AS SELECT id, phone FROM customers;
CREATE MATERIALIZED VIEW b_first AS SELECT phone FROM customer_view;
CREATE MATERIALIZED VIEW a_second AS SELECT count(*) FROM b_first;
CREATE MATERIALIZED VIEW z_kept AS SELECT room FROM booking;
CREATE MATERIALIZED VIEW "Odd ""name" AS SELECT body FROM base_note;
CREATE MATERIALIZED VIEW unfilled AS SELECT phone FROM customers WITH NO DATA;
CREATE FUNCTION opaque() RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT count(*) FROM public.customers';
CREATE MATERIALIZED VIEW through_function AS SELECT public.opaque() AS n;
CREATE SEQUENCE loose;
"#;

const RULES: &str = r#"
version = 1
[databases.shop.tables."public.customers"]
id = "integer"
email = "keep"
first_name = { mask = "first_name", confirm_check = true }
phone = { mask = "phone", confirm_check = true }
born = "keep"
balance = "numeric"
tags = "keep"
tier = "keep"
[databases.shop.tables."crm.orders"]
id = "keep"
note = "text"
[databases.shop.tables."crm.lines"]
customer_id = "keep"
amount = { mask = "keep", accept_originals = true }
[databases.shop.tables."public.events"]
id = "keep"
at = "keep"
who = "full_name"
[databases.shop.tables."public.hashed"]
code = "keep"
n = "keep"
[databases.shop.tables."public.base_note"]
id = "keep"
body = "text"
[databases.shop.tables."public.child_note"]
extra = "redact"
[databases.shop.tables."public.booking"]
room = "keep"
[databases.shop.tables."public.scratch"]
line = "text"
"#;

fn refusals(rules: &str, catalog: &Catalog) -> Vec<Refusal> {
    match plan(&RuleSet::from_toml(rules).unwrap(), catalog) {
        Err(Error::Refused(refusals)) => refusals,
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

/// `code table.column`
fn brief(refusals: &[Refusal]) -> Vec<String> {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    refusals.iter().map(|r| format!("{} {}.{}", r.code, part(&r.table), part(&r.column))).collect()
}

fn relation<'p>(plan: &'p DatabasePlan, name: &str) -> &'p RelationPlan {
    plan.relations.iter().find(|r| format!("{}.{}", r.schema, r.name) == name).unwrap()
}

fn masks(relation: &RelationPlan) -> Vec<(&str, Option<MaskName>)> {
    let action = |action: &Action| match action {
        Action::Keep => None,
        Action::Zero => Some(None),
        Action::Mask(mask) => Some(mask.value().map(|spec| spec.mask)),
    };
    relation.attributes.iter().filter_map(|a| Some((a.name.as_str(), action(&a.action)?))).collect()
}

fn planned(rules: &str, catalog: &Catalog) -> MaskPlan {
    plan(&RuleSet::from_toml(rules).unwrap(), catalog).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn plans_a_real_schema_and_names_every_problem_of_bad_rules() {
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql("shop", SHOP);
    let catalog = server.catalog();
    reads_what_the_server_says(&catalog, &server);
    assert_eq!(
        brief(&refusals(RULES, &catalog)),
        ["generated_stored public.customers.first_name", "generated_stored public.customers.phone"]
    );
    server.sql("shop", "ALTER TABLE customers ALTER full_text DROP EXPRESSION");
    let catalog = server.catalog();
    plans_good_rules(&RULES.replace("tier = ", "full_text = \"text\"\ntier = "), &catalog);
    names_every_problem(&catalog);
    keeps_what_is_unlisted(&catalog);
    suggests_rules_that_pass(&catalog);
}

fn reads_what_the_server_says(catalog: &Catalog, server: &Server) {
    let shop = catalog.databases.iter().find(|database| database.info.name == "shop").unwrap();
    assert_eq!(shop.info.encoding, "UTF8");
    let table = |name: &str| shop.relations.iter().find(|r| r.full_name() == name).unwrap();
    let customers = table("public.customers");
    assert!(customers.path.as_ref().unwrap().starts_with("base"));
    let data = server.dir.path().join("data");
    assert!(data.join(customers.path.as_ref().unwrap()).exists());
    assert!(data.join(&customers.toast.as_ref().unwrap().path).exists());
    assert_eq!(customers.access_method.as_deref(), Some("heap"));
    assert!(customers.attribute(2).unwrap().dropped);
    let first_name = customers.column("first_name").unwrap();
    assert_eq!(first_name.domains.len(), 2);
    assert_eq!(first_name.declared_type, "public.nested");
    assert_eq!(first_name.base_type.as_ref().unwrap().name, "varchar");
    assert!(customers.column("tier").unwrap().has_missing);
    let generated = customers.column("full_text").unwrap().generated.as_ref().unwrap();
    assert!(generated.stored);
    assert_eq!(generated.columns, BTreeSet::from([4, 5]));
    let index = |name: &str| shop.indexes.iter().find(|index| index.name == name).unwrap();
    assert_eq!(index("customers_lower_phone").expression_columns, BTreeSet::from([5]));
    let born = index("customers_born");
    assert_eq!(born.key_columns, BTreeSet::from([7]));
    assert_eq!(born.include_columns, BTreeSet::from([1]));
    assert_eq!(born.predicate_columns, BTreeSet::from([6]));
    assert_eq!(index("customers_whole").columns().len(), customers.live_columns().count());
    let parent = index("events_who");
    assert!(parent.partitioned);
    assert_eq!(index("events_a_who_idx").parent, Some(parent.oid));
    assert_eq!(index("booking_room_excl").exclusion_operators, Some(vec!["=".to_owned()]));
    let key = |name: &str| table(name).partition_key.as_ref().unwrap().columns.clone();
    assert_eq!(key("public.events"), BTreeSet::from([2]));
    assert_eq!(key("public.hashed"), BTreeSet::from([1]));
    assert_eq!(table("public.loose").kind, RelationKind::Sequence);
    assert_eq!(shop.statistics[0].columns, BTreeSet::from([4, 5]));
    assert_eq!(shop.foreign_keys.len(), 3);
}

fn plans_good_rules(rules: &str, catalog: &Catalog) {
    let plan = planned(rules, catalog);
    let names: Vec<&str> = plan.databases.iter().map(|database| database.name.as_str()).collect();
    assert_eq!(names, ["postgres", "shop"]);
    let shop = &plan.databases[1];
    assert_eq!(
        masks(relation(shop, "public.customers")),
        [
            ("id", Some(MaskName::Integer)),
            ("........pg.dropped.2........", None),
            ("first_name", Some(MaskName::FirstName)),
            ("phone", Some(MaskName::Phone)),
            ("balance", Some(MaskName::Numeric)),
            ("full_text", Some(MaskName::Text)),
            ("referrer", Some(MaskName::Integer)),
        ]
    );
    // Through the foreign key, by itself.
    assert_eq!(
        masks(relation(shop, "crm.orders")),
        [("customer_id", Some(MaskName::Integer)), ("note", Some(MaskName::Text))]
    );
    // Partitions by name, whatever their order of columns.
    assert_eq!(masks(relation(shop, "public.events_a")), [("who", Some(MaskName::FullName))]);
    assert_eq!(
        masks(relation(shop, "public.events_b")),
        [("who", Some(MaskName::FullName)), ("........pg.dropped.2........", None)]
    );
    assert!(!shop.relations.iter().any(|relation| relation.name == "events"));
    assert_eq!(
        masks(relation(shop, "public.child_note")),
        [("body", Some(MaskName::Text)), ("extra", Some(MaskName::Redact))]
    );
    assert_eq!(masks(relation(shop, "public.scratch")), [("line", Some(MaskName::Text))]);
    let indexes: BTreeSet<&str> = shop.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(
        indexes,
        BTreeSet::from([
            "customers_pkey",
            "customers_lower_phone",
            "customers_born",
            "customers_whole",
            "events_a_who_idx",
            "events_b_who_idx",
        ])
    );
    assert_eq!(
        shop.materialized_views,
        [
            "\"public\".\"Odd \"\"name\"",
            "\"public\".\"b_first\"",
            "\"public\".\"a_second\"",
            "\"public\".\"through_function\"",
        ]
    );
    assert_eq!(shop.accepted_columns, ["crm.lines.amount"]);
    assert!(relation(shop, "public.customers").attributes.iter().any(|a| a.has_missing));
    // A plan goes into the manifest and comes back.
    let text = serde_json::to_string(&plan).unwrap();
    let back: MaskPlan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

const BAD_RULES: &str = r#"
version = 1
[databases.shpo.tables."public.x"]
a = "keep"
[databases.shop.tables."public.custmers"]
id = "keep"
[databases.shop.tables."public.customer_view"]
id = "keep"
[databases.shop.tables."public.customers"]
id = "keep"
emial = "email"
ctid = "keep"
email = "email"
first_name = "date_shift"
phone = "digits"
born = { mask = "date_shift", days = 30 }
balance = "keep"
tags = "integer"
tier = "alphanumeric"
referrer = "integer"
[databases.shop.tables."crm.orders"]
id = { mask = "noise", share = 0.1 }
[databases.shop.tables."crm.lines"]
order_id = "keep"
customer_id = "keep"
amount = "keep"
[databases.shop.tables."public.events"]
id = "keep"
at = { mask = "date_shift", days = 3 }
who = "full_name"
[databases.shop.tables."public.events_a"]
who = "last_name"
[databases.shop.tables."public.hashed"]
code = "alphanumeric"
n = "keep"
[databases.shop.tables."public.booking"]
room = { mask = "noise", share = 0.5 }
"#;

fn names_every_problem(catalog: &Catalog) {
    let found = refusals(BAD_RULES, catalog);
    let mut expected = BTreeSet::from([
        "unlisted_column crm.orders.note",
        "foreign_key_conflict crm.lines.order_id",
        "unique_needs_injective crm.orders.id",
        "unlisted_column public.base_note.body",
        "unlisted_column public.base_note.id",
        "unique_needs_injective public.booking.room",
        "unlisted_column public.child_note.extra",
        "not_a_table public.customer_view.",
        "check_constraint public.customers.born",
        "system_column public.customers.ctid",
        "check_constraint public.customers.email",
        "unique_needs_injective public.customers.email",
        "unknown_column public.customers.emial",
        "mask_type_mismatch public.customers.first_name",
        "unlisted_column public.customers.full_text",
        "foreign_key_to_kept public.customers.referrer",
        "mask_type_mismatch public.customers.tags",
        "unique_expression public.customers.tier",
        "unknown_table public.custmers.",
        "partition_key public.events.at",
        "unique_needs_injective public.events.at",
        "partition_conflict public.events_a.who",
        "partition_key public.hashed.code",
        "unlisted_column public.scratch.line",
        "unknown_database .",
    ]);
    if !cfg!(feature = "sql") {
        // Only PostgreSQL's parser sees that lengths stay.
        expected.insert("check_constraint public.customers.first_name");
        expected.insert("check_constraint public.customers.phone");
    }
    let found_brief = brief(&found);
    assert_eq!(found_brief.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    assert_eq!(found_brief.len(), expected.len(), "each problem once");
    assert!(found.iter().all(|refusal| !refusal.remedy.is_empty()));
    let places: Vec<_> = found.iter().map(|r| (&r.database, &r.table, &r.column)).collect();
    assert!(places.is_sorted());
    let remedy = |code: &str| found.iter().find(|r| r.code == code).unwrap().remedy.as_str();
    assert_eq!(remedy("unknown_database"), "did you mean \"shop\"?");
    assert_eq!(remedy("unknown_table"), "did you mean \"public.customers\"?");
    assert_eq!(remedy("unknown_column"), "did you mean \"email\"?");
    assert_eq!(
        remedy("unlisted_column"),
        "[databases.shop.tables.\"crm.orders\"]\nnote = \"text\""
    );
}

fn keeps_what_is_unlisted(catalog: &Catalog) {
    let plan = planned("version = 1\nunlisted = \"keep\"", catalog);
    let shop = &plan.databases[1];
    let names: Vec<&str> = shop.relations.iter().map(|relation| relation.name.as_str()).collect();
    assert_eq!(names, ["customers", "events_b"], "only what has dropped columns");
    assert!(shop.indexes.is_empty() && shop.materialized_views.is_empty());
    let found = refusals("version = 1", catalog);
    assert!(brief(&found).contains(&"unlisted_database .".to_owned()));
    assert_eq!(refusals("version = 1\n[databases.shop]\nunlisted = \"keep\"", catalog), []);
}

fn suggests_rules_that_pass(catalog: &Catalog) {
    let text = suggest(catalog);
    let found = refusals(&text, catalog);
    // What only the user can say is left: that CHECK constraints hold.
    assert!(found.iter().all(|r| r.code == "check_constraint"), "{text}\n{:?}", brief(&found));
    assert!(text.contains("[databases.shop.tables.\"public.customers\"]"));
    assert!(!text.contains("referrer"), "foreign keys follow by themselves");
    assert!(!text.contains("events_a"), "partitions follow by themselves");
}

#[test]
fn refuses_databases_that_it_cannot_look_into() {
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE closed");
    server.sql("postgres", "ALTER DATABASE closed ALLOW_CONNECTIONS false");
    server.sql("postgres", "CREATE DATABASE mule ENCODING 'MULE_INTERNAL' TEMPLATE template0");
    server.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    server.sql("latin", "CREATE TABLE t (a text, n int); SELECT lo_create(0)");
    let catalog = server.catalog();
    let rules = "version = 1\n[databases.latin.tables.\"public.t\"]\na = \"text\"\nn = \"keep\"";
    let found = refusals(rules, &catalog);
    let codes: Vec<_> = found.iter().map(|r| (r.database.as_deref().unwrap(), r.code)).collect();
    assert_eq!(
        codes,
        [
            ("closed", "database_not_connectable"),
            ("latin", "large_objects"),
            ("mule", "unsupported_encoding"),
        ]
    );
    assert_eq!(refusals("version = 1\nunlisted = \"keep\"\n", &catalog), []);
}
