//! A table's masks: rules by column name, bound to a schema when there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, Schema, SchemaRef};
use rayon::prelude::*;

use super::error::{Cause, MaskError, Result};
use super::types::stored_types;
use crate::datum::{Encoding, EnumLabels};
use crate::mask::{AnyMask, Mask, MaskKey, MaskSpec, suited_masks, supports};
use crate::rules::{ColumnRule, MaskName, RuleSet, TableRules, Unlisted, did_you_mean, rule_line};
use crate::{Error, Refusal};

/// What the columns of one table are masked with.
#[derive(Clone, Debug)]
pub struct TableMask {
    name: Option<(String, String)>,
    rules: TableRules,
    unlisted: Unlisted,
    /// Masks that were set by themselves.
    set: BTreeMap<String, Arc<AnyMask>>,
}

impl TableMask {
    /// The rules of a table, by database and name, or those of the only table that there is.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such table, [`Error::Invalid`] if none is named and there
    /// is not one.
    pub fn new(rules: &RuleSet, names: Option<(&str, &str)>) -> crate::Result<TableMask> {
        let mut tables = rules.databases.iter().flat_map(|(database, section)| {
            section.tables.iter().map(move |(table, columns)| (database, table, columns))
        });
        let found = match names {
            Some((database, table)) => {
                tables.find(|it| (it.0.as_str(), it.1.as_str()) == (database, table))
            }
            None => tables.next().filter(|_| tables.next().is_none()),
        };
        let Some((database, table, columns)) = found else {
            return Err(match names {
                Some((database, table)) => {
                    let name = format!("{database}, {table}");
                    Error::NotFound { what: "table in the rules", name }
                }
                None => Error::invalid("the rules have not one table; which one is it?"),
            });
        };
        Ok(TableMask {
            name: names.map(|_| (database.clone(), table.clone())),
            rules: columns.clone(),
            unlisted: rules.unlisted_in(database),
            set: BTreeMap::new(),
        })
    }

    /// Gives a column a mask of its own, a host's for example.
    pub fn set(&mut self, column: &str, mask: Arc<AnyMask>) {
        self.set.insert(column.to_owned(), mask);
    }

    /// The masks for batches with this schema.
    ///
    /// # Errors
    /// [`Error::Refused`], with every reason at once: columns that no rule names (unless the rules
    /// say `unlisted = "keep"`), rules without a column, masks that are not for a column's type.
    pub fn bind(&self, schema: &Schema, key: &MaskKey) -> crate::Result<BoundTable> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut problems = Vec::new();
        for missing in self.rules.keys().chain(self.set.keys()) {
            if !names.contains(&missing.as_str()) {
                let remedy = did_you_mean(missing, names.iter().copied());
                problems.push(self.refusal(
                    "unknown_column",
                    missing,
                    "there is no such column",
                    remedy,
                ));
            }
        }
        let mut masks = Vec::with_capacity(names.len());
        for field in schema.fields() {
            let (name, data_type) = (field.name(), field.data_type());
            if let Some(mask) = self.set.get(name) {
                if !stored_types(data_type).contains(&mask.value_type()) {
                    let what = format!("a mask on {:?} is not for {data_type}", mask.value_type());
                    let remedy = "a mask for its type";
                    problems.push(self.refusal("mask_type_mismatch", name, what, remedy));
                }
                masks.push(Some(Arc::clone(mask)));
                continue;
            }
            match (self.rules.get(name), self.unlisted) {
                (Some(rule), _)
                    if rule.mask == MaskName::Keep
                        && rule.parts.is_none()
                        && rule.when.is_none() =>
                {
                    masks.push(None);
                }
                (Some(rule), _) => match self.compile(name, rule, data_type, key) {
                    Ok(mask) => masks.push(mask.map(Arc::new)),
                    Err(refusal) => problems.push(*refusal),
                },
                (None, Unlisted::Keep) => masks.push(None),
                (None, Unlisted::Deny) => {
                    let what = format!("no rule names this column of type {data_type}");
                    let keep = rule_line(name, &ColumnRule::new(MaskName::Keep));
                    problems.push(self.refusal("unlisted_column", name, what, keep));
                }
            }
        }
        if problems.is_empty() {
            Ok(BoundTable { fields: schema.fields().clone(), masks })
        } else {
            Err(Error::Refused(problems))
        }
    }

    /// The mask that a rule asks for; none for a column of nulls alone.
    fn compile(
        &self,
        name: &str,
        rule: &ColumnRule,
        data_type: &DataType,
        key: &MaskKey,
    ) -> Result<Option<AnyMask>, Box<Refusal>> {
        let refusal = |code, what: String, remedy| Box::new(self.refusal(code, name, what, remedy));
        if *data_type == DataType::Null {
            return Ok(None);
        }
        if rule.subject.is_some() || rule.when.is_some() || !rule.persona.is_empty() {
            let what = "the rule looks at the rest of the row, which only PostgreSQL's pages have";
            let remedy = "a rule without subject, persona and when".to_owned();
            return Err(refusal("mask_options", what.to_owned(), remedy));
        }
        let types = stored_types(data_type);
        let Some(&first) = types.first() else {
            let what = format!("no mask is for an Arrow column of type {data_type}");
            let remedy = "cast it to a type that has masks, or keep it";
            return Err(refusal("unsupported_type", what, remedy.to_owned()));
        };
        if rule.parts.is_some() {
            let what = "rules for parts are for PostgreSQL's own types".to_owned();
            return Err(refusal(
                "mask_type_mismatch",
                what,
                "a mask for the whole value".to_owned(),
            ));
        }
        if rule.mask == MaskName::Null {
            let what = "mask null is for columns of a snapshot: here every value gets another one";
            let remedy = "drop the column, or set it to null, in the data frame";
            return Err(refusal("mask_type_mismatch", what.to_owned(), remedy.to_owned()));
        }
        let Some(&value_type) = types.iter().find(|&&it| supports(rule.mask, it)) else {
            let suited: Vec<&str> = suited_masks(first).iter().map(|mask| mask.as_str()).collect();
            let what = format!("mask {} is not defined on {data_type}", rule.mask);
            return Err(refusal(
                "mask_type_mismatch",
                what,
                format!("one of {}", suited.join(", ")),
            ));
        };
        let spec = MaskSpec {
            mask: rule.mask,
            domain: rule.domain().to_owned(),
            value_type,
            encoding: Encoding::default(),
            options: rule.options.clone(),
            labels: EnumLabels::default(),
        };
        let mask = Mask::compile(&spec, key).map_err(|error| {
            refusal("mask_options", error.to_string(), "options that go with the type".to_owned())
        })?;
        Ok(Some(mask.into()))
    }

    fn refusal(
        &self,
        code: &'static str,
        column: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        let refusal = Refusal::new(code, what, remedy).column(column);
        match &self.name {
            Some((database, table)) => refusal.database(database).table(table),
            None => refusal,
        }
    }
}

/// A mask for each column of a schema.
#[derive(Clone, Debug)]
pub struct BoundTable {
    fields: Fields,
    /// `None` for those that stay.
    masks: Vec<Option<Arc<AnyMask>>>,
}

impl BoundTable {
    /// Masks a batch of the schema that this was bound to, a column on each of rayon's threads. Its arrays are checked
    /// first, since they may have come from elsewhere.
    ///
    /// # Errors
    /// With column and number of the value, if one has no masked value or is no value of its type.
    pub fn mask(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let same = |(one, other): (&FieldRef, &FieldRef)| {
            (one.name(), one.data_type()) == (other.name(), other.data_type())
        };
        let fields = schema.fields();
        if fields.len() != self.fields.len() || !fields.iter().zip(&self.fields).all(same) {
            let what = "the batch has other columns than the masks were bound to";
            return Err(Cause::Type(what.to_owned()).into());
        }
        let columns = batch.columns().par_iter().zip(&self.masks).zip(fields.par_iter());
        let columns: Vec<ArrayRef> = columns
            .map(|((column, mask), field)| match mask {
                None => Ok(Arc::clone(column)),
                Some(mask) => {
                    super::mask_array(mask, column).map_err(|error| error.in_column(field.name()))
                }
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(MaskError::from)
    }
}

/// Masks record batches as they are asked for. After an error, the next batch may be asked for.
#[derive(Debug)]
pub struct MaskedReader<R> {
    reader: R,
    masks: BoundTable,
}

impl<R: RecordBatchReader> MaskedReader<R> {
    /// What `reader` reads, masked.
    ///
    /// # Errors
    /// As [`TableMask::bind`].
    pub fn new(table: &TableMask, key: &MaskKey, reader: R) -> crate::Result<MaskedReader<R>> {
        let masks = table.bind(&reader.schema(), key)?;
        Ok(MaskedReader { reader, masks })
    }
}

impl<R: RecordBatchReader> Iterator for MaskedReader<R> {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| self.masks.mask(&batch).map_err(ArrowError::from)))
    }
}

impl<R: RecordBatchReader> RecordBatchReader for MaskedReader<R> {
    fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use arrow_schema::Field;

    use super::*;

    /// A frame's column has a value for every value; `null` is for columns of a snapshot.
    #[test]
    fn mask_null_is_refused_with_what_to_do_instead() {
        let rules = "version = 1\n[databases.d.tables.\"s.t\"]\nname = \"null\"\n";
        let rules = RuleSet::from_toml(rules).unwrap();
        let table = TableMask::new(&rules, None).unwrap();
        let schema = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
        let error = table.bind(&schema, &MaskKey::from_bytes([9; 32])).unwrap_err();
        let Error::Refused(refusals) = error else { panic!("{error}") };
        assert_eq!(refusals[0].code, "mask_type_mismatch");
        assert!(refusals[0].message.contains("mask null"));
        assert!(refusals[0].remedy.contains("data frame"));
    }

    /// Masks go by position: in a batch with other columns, they would leave what they are for.
    #[test]
    fn a_batch_of_another_schema_is_refused() {
        let rules = "version = 1\n[databases.d.tables.\"s.t\"]\na = \"first_name\"\nb = \"keep\"\n";
        let table = TableMask::new(&RuleSet::from_toml(rules).unwrap(), None).unwrap();
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let batch = |names: [&'static str; 2]| {
            RecordBatch::try_from_iter([(names[0], column("Anna")), (names[1], column("Otto"))])
        };
        let batch = |names| batch(names).unwrap();
        let masks = table.bind(&batch(["a", "b"]).schema(), &MaskKey::from_bytes([9; 32])).unwrap();
        assert!(masks.mask(&batch(["a", "b"])).is_ok());
        let error = masks.mask(&batch(["b", "a"])).unwrap_err();
        assert!(matches!(error.cause, Cause::Type(_)), "{error}");
    }
}
