//! The catalog queries. What differs between PostgreSQL 13 and 18 differs here and nowhere else.
//!
//! `pg_attribute.attgenerated = 'v'` and not-null constraints (`contype = 'n'`) came with 18,
//! `pg_statistic_ext.stxexprs` with 14, and `pg_constraint.coninhcount` changed its type in 18,
//! for which a cast makes up.

use crate::ids::PgMajor;

/// Relations that are not PostgreSQL's own, wherever they lie: `initdb` gives no oid from 16384
/// on. TOAST tables come with the tables they belong to; other sessions' temporary tables have
/// no rows that outlive a start.
pub(super) const USER_RELATION: &str = "c.oid >= 16384
    AND c.relpersistence <> 't'
    AND n.nspname <> 'pg_toast'
    AND n.nspname !~ '^pg_(toast_)?temp_'";

/// A connection limit of -2 marks what an interrupted DROP DATABASE left. The server converts no
/// MULE_INTERNAL to the UTF-8 that thinveil speaks.
pub(super) const DATABASES: &str = "
    SELECT oid, datname, pg_encoding_to_char(encoding)::text,
           datallowconn AND datconnlimit <> -2
               AND pg_encoding_to_char(encoding) <> 'MULE_INTERNAL',
           datistemplate
    FROM pg_database ORDER BY datname";

pub(super) const TABLESPACES: &str = "SELECT oid, spcname FROM pg_tablespace ORDER BY spcname";

pub(super) const ROLES: &str =
    "SELECT oid, rolname, rolcanlogin, rolsuper FROM pg_roles ORDER BY rolname";

/// `pg_attribute` as it describes itself.
pub(super) const PG_ATTRIBUTE: &str = "
    SELECT pg_relation_filepath(attrelid), attname, attlen, attalign::text
    FROM pg_attribute WHERE attrelid = 'pg_catalog.pg_attribute'::regclass AND attnum > 0
    ORDER BY attnum";

pub(super) fn relations() -> String {
    format!(
        "SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relpersistence::text, am.amname,
                pg_relation_filepath(c.oid), c.reltoastrelid,
                CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_filepath(c.reltoastrelid) END,
                c.relispartition, c.relispopulated, c.reltuples::float8, x.extname
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_am am ON am.oid = c.relam
         LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
              AND d.objsubid = 0 AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
         LEFT JOIN pg_extension x ON x.oid = d.refobjid
         WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v', 'S') AND {USER_RELATION}
         ORDER BY n.nspname, c.relname"
    )
}

/// The collations `C` and `POSIX` are 950 and 951; `catalog/pg_collation.dat`.
pub(super) fn columns() -> String {
    format!(
        "SELECT a.attrelid, a.attnum, a.attname, a.attisdropped, a.attlen, a.attalign::text,
                a.atttypid, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                a.attidentity::text, a.attgenerated::text, a.atthasmissing,
                CASE WHEN a.attgenerated <> '' THEN g.adbin::text END,
                (SELECT array_agg(r.refobjsubid::int2) FROM pg_depend r
                 WHERE r.classid = 'pg_attrdef'::regclass AND r.objid = g.oid
                   AND r.refclassid = 'pg_class'::regclass AND r.refobjid = a.attrelid
                   AND r.refobjsubid NOT IN (0, a.attnum)),
                a.attcollation IN (950, 951), COALESCE(NOT l.collisdeterministic, false),
                CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END
         FROM pg_attribute a
         JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attrdef g ON g.adrelid = a.attrelid AND g.adnum = a.attnum
         LEFT JOIN pg_collation l ON l.oid = a.attcollation
         WHERE a.attnum > 0 AND c.relkind IN ('r', 'p', 'm', 'f', 'v') AND {USER_RELATION}
         ORDER BY a.attrelid, a.attnum"
    )
}

/// A range's bounds are in the order of its operator class: whether that is the type's own is
/// the last column.
pub(super) fn types(major: PgMajor) -> String {
    let multirange = if major.number() >= 14 { "r.rngmultitypid" } else { "NULL::oid" };
    format!(
        "SELECT t.oid, n.nspname, t.typname, t.typtype::text, t.typbasetype, t.typlen,
                t.typalign::text, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END,
                t.typrelid, r.rngsubtype, {multirange}, format_type(t.oid, NULL),
                COALESCE(o.opcdefault, false), x.extname,
                (SELECT array_agg(e.oid ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = t.oid),
                (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = t.oid)
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid
              AND d.objsubid = 0 AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
         LEFT JOIN pg_extension x ON x.oid = d.refobjid
         LEFT JOIN pg_range r ON r.rngtypid = t.oid
         LEFT JOIN pg_opclass o ON o.oid = r.rngsubopc"
    )
}

/// Attributes of composite types and row types.
pub(super) const TYPE_ATTRIBUTES: &str = "
    SELECT a.attrelid, a.attname, a.atttypid, a.attlen, a.attalign::text, a.attisdropped,
           format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attnum > 0 AND c.relkind IN ('c', 'r', 'p', 'v', 'm', 'f') AND c.oid >= 16384
    ORDER BY a.attrelid, a.attnum";

/// Tables and indexes alike.
pub(super) const INHERITANCE: &str =
    "SELECT inhrelid, inhparent FROM pg_inherits ORDER BY inhrelid, inhseqno";

/// Columns in a partition key depend on their table (the reverse of what columns do elsewhere),
/// those in expressions too; `catalog/heap.c`, `StorePartitionKey`.
pub(super) const PARTITION_KEYS: &str = "
    SELECT p.partrelid, p.partattrs::int2[], pg_get_partkeydef(p.partrelid),
           (SELECT array_agg(d.objsubid::int2) FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = p.partrelid AND d.objsubid > 0
              AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.partrelid
              AND d.refobjsubid = 0 AND d.deptype = 'i'),
           p.partexprs::text
    FROM pg_partitioned_table p";

pub(super) fn indexes() -> String {
    format!(
        "SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, c.relkind::text, am.amname,
                i.indisunique, i.indisprimary, i.indisvalid, i.indnkeyatts, i.indkey::int2[],
                i.indexprs::text, i.indpred::text, pg_get_expr(i.indpred, i.indrelid),
                pg_get_indexdef(i.indexrelid),
                (SELECT array_agg(o.oprname::text ORDER BY k.place) FROM pg_constraint e,
                        unnest(e.conexclop) WITH ORDINALITY k(op, place), pg_operator o
                 WHERE e.conindid = i.indexrelid AND o.oid = k.op),
                (SELECT array_agg(d.refobjsubid::int2) FROM pg_depend d
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                   AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
                   AND d.refobjsubid > 0),
                EXISTS (SELECT FROM pg_collation l
                        WHERE l.oid = ANY (i.indcollation::oid[]) AND NOT l.collisdeterministic)
         FROM pg_index i
         JOIN pg_class c ON c.oid = i.indexrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_am am ON am.oid = c.relam
         WHERE {USER_RELATION}
         ORDER BY n.nspname, c.relname"
    )
}

pub(super) const FOREIGN_KEYS: &str = "
    SELECT k.conname, k.conrelid, k.conkey, k.confrelid, k.confkey
    FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0
    ORDER BY k.conrelid, k.conname";

pub(super) const CHECKS: &str = "
    SELECT k.conname, k.conrelid, k.contypid, k.conkey, k.coninhcount::int4,
           COALESCE(pg_get_expr(k.conbin, k.conrelid), pg_get_constraintdef(k.oid)),
           k.conbin::text
    FROM pg_constraint k
    WHERE k.contype = 'c'
    ORDER BY k.conrelid, k.conname";

/// Functions in C or built in are known by what they do; the bodies of others are not looked into.
pub(super) const DERIVATIONS: &str = "
    SELECT w.ev_class,
           array_agg(d.refobjid) FILTER (WHERE d.refclassid = 'pg_class'::regclass),
           bool_or(d.refclassid = 'pg_proc'::regclass
                   AND l.lanname NOT IN ('internal', 'c'))
    FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
         AND p.oid >= 16384
    LEFT JOIN pg_language l ON l.oid = p.prolang
    WHERE w.ev_type = '1' AND d.refobjid <> w.ev_class
    GROUP BY w.ev_class ORDER BY w.ev_class";

pub(super) fn statistics(major: PgMajor) -> String {
    let expressions = if major.number() >= 14 { "s.stxexprs::text" } else { "NULL::text" };
    format!(
        "SELECT s.oid, s.stxrelid, n.nspname, s.stxname, s.stxkeys::int2[], {expressions}
         FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
         ORDER BY n.nspname, s.stxname"
    )
}

pub(super) const LARGE_OBJECTS: &str = "
    SELECT count(*), CASE WHEN pg_relation_size('pg_catalog.pg_largeobject') > 0
                          THEN pg_relation_filepath('pg_catalog.pg_largeobject') END
    FROM pg_largeobject_metadata";
