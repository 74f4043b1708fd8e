//! The plan: everything that rewriting and finishing need to know, and no key.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ColumnRecord;
use crate::datum::condition::{Condition, Value};
use crate::datum::{Encoding, ValueType};
use crate::ids::Oid;
use crate::mask::ColumnMask;

/// What will be done to a cluster. Serialises without any key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MaskPlan {
    /// Every database that is not a template, in name order.
    pub databases: Vec<DatabasePlan>,
    /// Databases to drop, in name order.
    #[serde(default)]
    pub dropped: Vec<String>,
}

/// What will be done to one database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DatabasePlan {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// `pg_database.datname`.
    pub name: String,
    /// Relations with a masked or a dropped column, in `schema.table` order.
    pub relations: Vec<RelationPlan>,
    /// Indexes over masked columns (key, include, expression or predicate), to be rebuilt.
    pub indexes: Vec<IndexRef>,
    /// Where the values are that rows written before `ADD COLUMN … DEFAULT` take for masked
    /// columns; `None` if no masked column has one.
    pub missing_values: Option<MissingValuesPlan>,
    /// Materialized views that derive from masked relations, in refresh order, quoted and
    /// schema-qualified.
    pub materialized_views: Vec<String>,
    /// Kept columns that may hold originals by the user's word: `schema.table.column`.
    pub accepted_columns: Vec<String>,
    /// What becomes of every column, for the manifest.
    #[serde(default)]
    pub columns: Vec<ColumnRecord>,
    /// Columns that may tell people apart, by table.
    #[serde(default)]
    pub quasi_identifiers: Vec<QuasiIdentifiers>,
    /// What happens to objects whose code holds originals.
    #[serde(default)]
    pub objects: std::collections::BTreeMap<String, crate::rules::ObjectRule>,
    /// Comments stay.
    #[serde(default)]
    pub keep_comments: bool,
}

/// Columns of one table that together may tell people apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuasiIdentifiers {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Those whose values still say something: unmasked, or in buckets.
    pub columns: Vec<String>,
    /// Those whose mask hides the value.
    pub masked: Vec<String>,
}

impl DatabasePlan {
    /// Columns with masked values, or such as derive from them, of tables that are no longer in the
    /// files that the plan names once they are finished: what the audit finds in them may be there by
    /// chance. With their `attnum`.
    pub(crate) fn moved_columns(
        &self,
    ) -> impl Iterator<Item = (&RelationPlan, i16, &AttributePlan)> {
        let moved = self.relations.iter().filter(|relation| relation.relayout.is_some());
        moved.flat_map(|relation| {
            let attributes = (1i16..).zip(&relation.attributes);
            attributes
                .filter(|(attnum, attribute)| {
                    matches!(attribute.action, Action::Mask(_)) && !attribute.is_shuffled()
                        || relation.is_computed(*attnum)
                })
                .map(move |(attnum, attribute)| (relation, attnum, attribute))
        })
    }

    /// Masked columns, each partition's counted by itself.
    pub fn masked_columns(&self) -> usize {
        let attributes = self.relations.iter().flat_map(|relation| &relation.attributes);
        attributes.filter(|attribute| matches!(attribute.action, Action::Mask(_))).count()
    }
}

/// `pg_attribute`, as far as `attmissingval` is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingValuesPlan {
    /// First segment of its main fork, relative to the data directory.
    pub path: PathBuf,
    /// How its attributes are laid out.
    pub storage: Vec<StorageKind>,
    /// Index of `attrelid` among them.
    pub attrelid: usize,
    /// Index of `attnum`.
    pub attnum: usize,
    /// Index of `atthasmissing`.
    pub atthasmissing: usize,
    /// Index of `attmissingval`.
    pub attmissingval: usize,
}

/// One heap relation to rewrite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelationPlan {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// Table.
    pub name: String,
    /// First segment of the main fork, relative to the data directory (`pg_relation_filepath`).
    pub path: PathBuf,
    /// First segment of the TOAST table's main fork, if there is one.
    pub toast_path: Option<PathBuf>,
    /// Attributes in `attnum` order, dropped ones included.
    pub attributes: Vec<AttributePlan>,
    /// What is computed anew through SQL; the relation's layout is not kept then.
    #[serde(default)]
    pub relayout: Option<Relayout>,
}

/// Stored generated columns that are computed anew from masked values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relayout {
    /// Masked columns that they are over.
    pub sources: Vec<String>,
    /// Their `attnum`s.
    pub computed: Vec<i16>,
}

impl RelationPlan {
    /// True if any column of the relation is masked.
    pub fn is_masked(&self) -> bool {
        self.attributes.iter().any(|attribute| matches!(attribute.action, Action::Mask(_)))
    }

    /// True if an attribute's values derive from masked ones.
    pub fn is_computed(&self, attnum: i16) -> bool {
        self.relayout.as_ref().is_some_and(|relayout| relayout.computed.contains(&attnum))
    }
}

/// One attribute: how it is stored and what happens to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttributePlan {
    /// Name; PostgreSQL's placeholder for dropped ones.
    pub name: String,
    /// How it is laid out in a tuple.
    pub storage: StorageKind,
    /// What happens to it.
    pub action: Action,
    /// True if rows written before `ADD COLUMN … DEFAULT` take their value from
    /// `pg_attribute.attmissingval`.
    pub has_missing: bool,
    /// Whose its values are, where the mask depends on that.
    #[serde(default)]
    pub subject: Option<SubjectPlan>,
    /// The attributes of the same row whose masked values they are made of, given name first.
    #[serde(default)]
    pub persona: Vec<usize>,
    /// When they are masked, if not always.
    #[serde(default)]
    pub condition: Option<Box<ConditionPlan>>,
}

/// The attribute of the same row that says whose a value is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectPlan {
    /// Its index.
    pub attribute: usize,
    /// Its type.
    pub value_type: ValueType,
    /// The encoding of its database.
    pub encoding: Encoding,
    /// What it is in rows written before `ADD COLUMN … DEFAULT`, in canonical form; not written
    /// down anywhere.
    #[serde(skip)]
    pub missing: Option<Secret<Vec<u8>>>,
}

/// When an attribute is masked, and what happens to it otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionPlan {
    /// Masked where this is true.
    pub condition: Condition,
    /// The columns in it.
    pub columns: Vec<ConditionColumn>,
    /// The mask for where it is not; `None`: the value stays.
    pub otherwise: Option<Box<ColumnMask>>,
}

/// A column that a condition looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionColumn {
    /// The index of the attribute.
    pub attribute: usize,
    /// Its type; `None` if only its being null can be looked at.
    pub value_type: Option<ValueType>,
    /// True if rows written before `ADD COLUMN … DEFAULT` have a value,
    pub has_missing: bool,
    /// and that value, if it can be compared; not written down anywhere.
    #[serde(skip)]
    pub missing: Option<Secret<Value>>,
}

/// A value of the raw cluster. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(pub T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl AttributePlan {
    /// True if its values become NULL, in all rows or where its condition is true.
    pub fn becomes_null(&self) -> bool {
        matches!(&self.action, Action::Mask(mask) if matches!(**mask, ColumnMask::Null(_)))
    }

    /// True if its values have parts with masks of their own.
    pub fn is_masked_by_parts(&self) -> bool {
        match &self.action {
            Action::Mask(mask) => match mask.as_ref() {
                ColumnMask::Null(reader) => reader.value().is_none(),
                mask => mask.value().is_none() && !mask.is_shuffle(),
            },
            Action::Keep | Action::Zero => false,
        }
    }

    /// True if its values are moved among rows: they are still there.
    pub fn is_shuffled(&self) -> bool {
        matches!(&self.action, Action::Mask(mask) if mask.is_shuffle())
    }
}

/// `attlen` and `attalign` of `pg_attribute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageKind {
    /// Bytes, or -1 for a varlena, -2 for a C string.
    pub attlen: i16,
    /// Alignment in bytes: 1, 2, 4 or 8.
    pub align: u8,
}

/// What happens to an attribute's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// They stay.
    Keep,
    /// They are masked.
    Mask(Box<ColumnMask>),
    /// What is left of them is zeroed: the column is dropped, or computed anew.
    Zero,
}

/// An index to rebuild.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndexRef {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// Schema.
    pub schema: String,
    /// Index.
    pub name: String,
    /// Its table's oid.
    pub table: Oid,
    /// True if it enforces uniqueness or exclusion.
    pub unique: bool,
}
