//! The catalog queries. What differs between PostgreSQL 13 and 18 differs here and nowhere else.
//!
//! `pg_attribute.attgenerated = 'v'` and not-null constraints (`contype = 'n'`) came with 18,
//! `pg_statistic_ext.stxexprs` with 14, `pg_index.indnullsnotdistinct` with 15, and `pg_constraint.coninhcount` changed its type in 18,
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

/// A range's bounds are in the order of its operator class, and texts in that of its collation.
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
                 FROM pg_enum e WHERE e.enumtypid = t.oid),
                t.typnotnull,
                (SELECT format('%I.%I', s.nspname, l.collname)
                 FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace
                 WHERE l.oid = r.rngcollation)
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid
              AND d.objsubid = 0 AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
         LEFT JOIN pg_extension x ON x.oid = d.refobjid
         LEFT JOIN pg_range r ON r.rngtypid = t.oid
         LEFT JOIN pg_opclass o ON o.oid = r.rngsubopc"
    )
}

/// Whether a collation, by its quoted name, has texts with ranks in their order: those of a
/// thousand ranks among themselves.
pub(super) fn in_order(collation: &str) -> String {
    format!(
        "WITH texts AS (SELECT * FROM unnest($1::int4[], $2::text[]) t (rank, text))
         SELECT NOT EXISTS (
             SELECT FROM texts a JOIN texts b
             ON a.rank / 1000 = b.rank / 1000 AND a.rank < b.rank
             WHERE a.text >= b.text COLLATE {collation})"
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

pub(super) fn indexes(major: PgMajor) -> String {
    let nulls_not_distinct = if major.number() >= 15 { "i.indnullsnotdistinct" } else { "false" };
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
                        WHERE l.oid = ANY (i.indcollation::oid[]) AND NOT l.collisdeterministic),
                {nulls_not_distinct}
         FROM pg_index i
         JOIN pg_class c ON c.oid = i.indexrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_am am ON am.oid = c.relam
         WHERE {USER_RELATION}
         ORDER BY n.nspname, c.relname"
    )
}

pub(super) const FOREIGN_KEYS: &str = "
    SELECT k.conname, k.conrelid, k.conkey, k.confrelid, k.confkey, k.confmatchtype = 'f'
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

/// Every piece of users' code: the object's class, oid, catalog, column, key column, key, form,
/// language, text. `pg_proc.prosqlbody` and `pg_statistic_ext.stxexprs` came with 14,
/// `pg_publication_rel.prqual` with 15.
fn code_pieces(major: PgMajor) -> String {
    let mut pieces = String::from(CODE);
    if major.number() >= 14 {
        pieces += " UNION ALL SELECT 'pg_proc'::regclass, oid, 'pg_proc', 'prosqlbody', 'oid', oid,
                     'tree', '', prosqlbody::text FROM pg_proc
             UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 'pg_statistic_ext', 'stxexprs',
                     'oid', oid, 'tree', '', stxexprs::text FROM pg_statistic_ext";
    }
    if major.number() >= 15 {
        pieces += " UNION ALL SELECT 'pg_publication_rel'::regclass, oid, 'pg_publication_rel',
                     'prqual', 'oid', oid, 'tree', '', prqual::text FROM pg_publication_rel";
    }
    pieces
}

/// A view is its rule `_RETURN`. A table's bound as a partition and its partition key are the
/// table's own.
const CODE: &str = "
    SELECT CASE WHEN rulename = '_RETURN' THEN 'pg_class'::regclass ELSE 'pg_rewrite'::regclass END
               AS class,
           CASE WHEN rulename = '_RETURN' THEN ev_class ELSE oid END AS object,
           'pg_rewrite' AS catalog, 'ev_action' AS attribute, 'oid' AS key, oid AS row,
           'tree' AS form, '' AS language, ev_action::text AS text
    FROM pg_rewrite
    UNION ALL SELECT 'pg_rewrite'::regclass, oid, 'pg_rewrite', 'ev_qual', 'oid', oid, 'tree', '',
           ev_qual::text FROM pg_rewrite WHERE rulename <> '_RETURN'
    UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'pg_attrdef', 'adbin', 'oid', oid, 'tree', '',
           adbin::text FROM pg_attrdef
    UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_constraint', 'conbin', 'oid', oid, 'tree',
           '', conbin::text FROM pg_constraint
    UNION ALL SELECT 'pg_class'::regclass, indexrelid, 'pg_index', 'indexprs', 'indexrelid',
           indexrelid, 'tree', '', indexprs::text FROM pg_index
    UNION ALL SELECT 'pg_class'::regclass, indexrelid, 'pg_index', 'indpred', 'indexrelid',
           indexrelid, 'tree', '', indpred::text FROM pg_index
    UNION ALL SELECT 'pg_trigger'::regclass, oid, 'pg_trigger', 'tgqual', 'oid', oid, 'tree', '',
           tgqual::text FROM pg_trigger
    UNION ALL SELECT 'pg_trigger'::regclass, oid, 'pg_trigger', 'tgargs', 'oid', oid, 'opaque', '',
           NULLIF(encode(tgargs, 'escape'), '') FROM pg_trigger
    UNION ALL SELECT 'pg_policy'::regclass, oid, 'pg_policy', 'polqual', 'oid', oid, 'tree', '',
           polqual::text FROM pg_policy
    UNION ALL SELECT 'pg_policy'::regclass, oid, 'pg_policy', 'polwithcheck', 'oid', oid, 'tree',
           '', polwithcheck::text FROM pg_policy
    UNION ALL SELECT 'pg_proc'::regclass, oid, 'pg_proc', 'proargdefaults', 'oid', oid, 'tree', '',
           proargdefaults::text FROM pg_proc
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'pg_proc', 'prosrc', 'oid', p.oid, 'body',
           l.lanname::text, NULLIF(p.prosrc, '')
           FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
           WHERE l.lanname NOT IN ('internal', 'c')
    UNION ALL SELECT 'pg_proc'::regclass, oid, 'pg_proc', 'proconfig', 'oid', oid, 'opaque', '',
           proconfig::text FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, enumtypid, 'pg_enum', 'enumlabel', 'oid', oid, 'label',
           enumtypid::regtype::text, enumlabel::text FROM pg_enum
    UNION ALL SELECT 'pg_class'::regclass, oid, 'pg_class', 'relpartbound', 'oid', oid, 'fixed', '',
           relpartbound::text FROM pg_class
    UNION ALL SELECT 'pg_class'::regclass, partrelid, 'pg_partitioned_table', 'partexprs',
           'partrelid', partrelid, 'fixed', '', partexprs::text FROM pg_partitioned_table
    UNION ALL SELECT 'pg_type'::regclass, oid, 'pg_type', 'typdefaultbin', 'oid', oid, 'tree', '',
           typdefaultbin::text FROM pg_type
    UNION ALL SELECT 'pg_type'::regclass, oid, 'pg_type', 'typdefault', 'oid', oid, 'body', 'sql',
           typdefault FROM pg_type
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, 'pg_ts_dict', 'dictinitoption', 'oid', oid,
           'opaque', '', dictinitoption FROM pg_ts_dict";

/// Where the object itself, or the catalog row that holds its code, is a user's.
pub(super) fn code(major: PgMajor) -> String {
    format!(
        "SELECT i.type || ' ' || i.identity, c.catalog, c.attribute, c.key, c.row, c.form,
                c.language, c.text
         FROM ({}) AS c, pg_identify_object(c.class, c.object, 0) AS i
         WHERE c.object >= 16384 AND c.text IS NOT NULL AND i.identity IS NOT NULL
         ORDER BY 1, 2, 3, 5",
        code_pieces(major)
    )
}

pub(super) fn code_names(major: PgMajor) -> String {
    format!("SELECT DISTINCT column1 FROM ({}) AS code (column1)", code(major))
}
