//! What masks look at besides the value itself: other columns of the same row, as they were.

use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;

use super::heap::raw_tcinfo;
use super::page::{Fault, TuplePlace};
use super::visibility::CommitLog;
use crate::datum::DatumError;
use crate::datum::compressed::unpack;
use crate::datum::condition::{self, Value};
use crate::mask::{ColumnMask, Mask, Masker, Names, canonical_subject};
use crate::page::{Attribute, Storage, TupleHeader, VarlenaForm, walk_attributes};
use crate::plan::{ConditionColumn, ConditionPlan, RelationPlan, SubjectPlan};

/// The columns that masks of one relation look at, and what they say of the row at hand.
///
/// What happens to a column has a number, its slot: that of the attribute, where it is masked;
/// behind all attributes there are those for columns whose condition is not true, one for each
/// column that has a condition, in their order; behind these, as many again, for row versions that
/// are not live, and are masked.
pub(super) struct Row<'p> {
    present: usize,
    seen: Vec<Option<Attribute>>,
    subjects: Vec<Subject<'p>>,
    /// By attribute: its subject among `subjects`.
    subject_of: Vec<Option<usize>>,
    conditions: Vec<(&'p ConditionPlan, Decision)>,
    /// By attribute: its condition, and its place among the attributes that have one.
    condition_of: Vec<Option<(usize, usize)>>,
    personas: Vec<Persona<'p>>,
    /// By attribute: its persona among `personas`.
    persona_of: Vec<Option<usize>>,
    conditional: usize,
    log: CommitLog,
}

struct Subject<'p> {
    plan: &'p SubjectPlan,
    /// Its canonical form in this row.
    value: Vec<u8>,
    is_null: bool,
}

/// The names that attributes are made of.
struct Persona<'p> {
    attributes: &'p [usize],
    /// What masks these.
    maskers: Vec<Masker<'p>>,
    /// In this row.
    names: Option<Names>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// The condition is true: masked.
    Masked,
    /// It is false or null.
    Otherwise,
    /// The row version is dead, or may be: what is masked in the live one must not stay in it.
    NotLive,
}

impl<'p> Row<'p> {
    /// `None` if no mask of the relation looks at other columns. `masks` by attribute.
    pub(super) fn new(
        relation: &'p RelationPlan,
        masks: &'p [Option<ColumnMask<Mask>>],
        pgdata: &Path,
    ) -> Option<Box<Row<'p>>> {
        let attributes = &relation.attributes;
        let mut row = Row {
            present: 0,
            seen: vec![None; attributes.len()],
            subjects: Vec::new(),
            subject_of: Vec::new(),
            conditions: Vec::new(),
            condition_of: Vec::new(),
            personas: Vec::new(),
            persona_of: Vec::new(),
            conditional: 0,
            log: CommitLog::new(pgdata),
        };
        for attribute in attributes {
            let subject = attribute.subject.as_ref().map(|plan| {
                let known = row.subjects.iter().position(|subject| subject.plan == plan);
                known.unwrap_or_else(|| {
                    row.subjects.push(Subject { plan, value: Vec::new(), is_null: true });
                    row.subjects.len() - 1
                })
            });
            row.subject_of.push(subject);
            let condition = attribute.condition.as_deref().map(|plan| {
                let same = |known: &ConditionPlan| {
                    (&known.condition, &known.columns) == (&plan.condition, &plan.columns)
                };
                let known = row.conditions.iter().position(|(known, _)| same(known));
                row.conditional += 1;
                let number = known.unwrap_or_else(|| {
                    row.conditions.push((plan, Decision::NotLive));
                    row.conditions.len() - 1
                });
                (number, row.conditional - 1)
            });
            row.condition_of.push(condition);
            let persona = row.persona(&attribute.persona, masks);
            row.persona_of.push(persona);
        }
        let looks =
            !row.subjects.is_empty() || !row.conditions.is_empty() || !row.personas.is_empty();
        looks.then(|| Box::new(row))
    }

    /// The number of a persona; `None` where there is none.
    fn persona(
        &mut self,
        attributes: &'p [usize],
        masks: &'p [Option<ColumnMask<Mask>>],
    ) -> Option<usize> {
        if attributes.is_empty() {
            return None;
        }
        let known = self.personas.iter().position(|known| known.attributes == attributes);
        Some(known.unwrap_or_else(|| {
            let of_names = attributes.iter().filter_map(|attribute| match masks.get(*attribute) {
                Some(Some(ColumnMask::Value(mask))) => Some(mask.masker()),
                _ => None,
            });
            let maskers = of_names.collect();
            self.personas.push(Persona { attributes, maskers, names: None });
            self.personas.len() - 1
        }))
    }

    /// Reads a row before anything of it is changed.
    pub(super) fn read(
        &mut self,
        raw: &[u8],
        storage: &[Storage],
        place: TuplePlace,
    ) -> Result<(), Fault> {
        self.present = TupleHeader::read(raw)?.natts;
        self.seen.fill(None);
        walk_attributes(raw, storage, |attribute| {
            if let Some(seen) = self.seen.get_mut(attribute.index) {
                *seen = Some(attribute);
            }
            Ok::<(), Fault>(())
        })?;
        let fault = |attribute, error: DatumError| Fault::Unsupported {
            what: error.0,
            attribute,
            line_pointer: place.line_pointer,
        };
        for Subject { plan, value, is_null } in &mut self.subjects {
            value.clear();
            *is_null = false;
            let SubjectPlan { attribute, value_type, encoding, missing } = plan;
            match (self.seen.get(*attribute).copied().flatten(), missing) {
                (Some(seen), _) => stored(raw, &seen)
                    .and_then(|stored| canonical_subject(*value_type, *encoding, &stored, value))
                    .map_err(|error| fault(*attribute, error))?,
                // A row older than the column has what the catalog says; null, if that is nothing.
                (None, Some(missing)) if *attribute >= self.present => {
                    value.extend_from_slice(&missing.0);
                }
                _ => *is_null = true,
            }
        }
        for Persona { attributes, maskers, names } in &mut self.personas {
            let mut masked = Vec::new();
            for (attribute, masker) in attributes.iter().zip(maskers) {
                let subject = subject_of(&self.subjects, &self.subject_of, *attribute);
                // Where there is no name, or one from the catalog, there is no persona of it.
                let Some(seen) = self.seen.get(*attribute).copied().flatten() else { continue };
                masker.set_subject(subject);
                let mut name = stored(raw, &seen)
                    .map(Cow::into_owned)
                    .map_err(|error| fault(*attribute, error))?;
                masker.apply(&mut name).map_err(|error| fault(*attribute, error))?;
                masked.push(name);
            }
            *names = Names::new(masked.iter().map(Vec::as_slice));
        }
        if self.conditions.is_empty() {
            return Ok(());
        }
        let is_live = self.log.is_live(raw);
        for (plan, decision) in &mut self.conditions {
            let tuple = Tuple {
                raw,
                seen: &self.seen,
                present: self.present,
                columns: &plan.columns,
                failed: Cell::new(0),
            };
            *decision = if is_live {
                match plan.condition.evaluate(&tuple) {
                    Ok(Some(true)) => Decision::Masked,
                    Ok(_) => Decision::Otherwise,
                    Err(error) => return Err(fault(tuple.failed.get(), error)),
                }
            } else {
                Decision::NotLive
            };
        }
        Ok(())
    }

    /// Whose this row's value of an attribute is; `None` if its mask takes no subject, or the
    /// subject is null.
    pub(super) fn subject(&self, attribute: usize) -> Option<&[u8]> {
        subject_of(&self.subjects, &self.subject_of, attribute)
    }

    /// The names that this row's value of an attribute is made of.
    pub(super) fn names(&self, attribute: usize) -> Option<&Names> {
        self.personas.get((*self.persona_of.get(attribute)?)?)?.names.as_ref()
    }

    /// What happens to an attribute of this row.
    pub(super) fn slot(&self, attribute: usize) -> usize {
        match self.decision(attribute) {
            Some((Decision::Otherwise, at)) => self.condition_of.len() + at,
            _ => attribute,
        }
    }

    /// What happens to an attribute's value that is out of line, where other row versions may refer
    /// to it: the least slot of all of them is what counts.
    pub(super) fn slot_out_of_line(&self, attribute: usize) -> usize {
        match self.decision(attribute) {
            Some((Decision::NotLive, at)) => self.condition_of.len() + self.conditional + at,
            _ => self.slot(attribute),
        }
    }

    fn decision(&self, attribute: usize) -> Option<(Decision, usize)> {
        let (condition, at) = (*self.condition_of.get(attribute)?)?;
        Some((self.conditions.get(condition)?.1, at))
    }
}

fn subject_of<'s>(
    subjects: &'s [Subject<'_>],
    of: &[Option<usize>],
    attribute: usize,
) -> Option<&'s [u8]> {
    let subject = subjects.get((*of.get(attribute)?)?)?;
    (!subject.is_null).then_some(&subject.value)
}

/// The attribute that a slot is for.
pub(super) fn attribute_of(relation: &RelationPlan, slot: usize) -> usize {
    let Some(at) = slot.checked_sub(relation.attributes.len()) else { return slot };
    let conditional = || {
        let attributes = relation.attributes.iter().enumerate();
        attributes.filter(|(_, attribute)| attribute.condition.is_some())
    };
    let at = at.checked_rem(conditional().count()).unwrap_or_default();
    conditional().nth(at).map_or(slot, |(attribute, _)| attribute)
}

/// A raw tuple, as a condition sees it.
struct Tuple<'t> {
    raw: &'t [u8],
    seen: &'t [Option<Attribute>],
    present: usize,
    columns: &'t [ConditionColumn],
    /// The attribute that could not be read.
    failed: Cell<usize>,
}

impl Tuple<'_> {
    fn column(&self, number: usize) -> Option<(&ConditionColumn, Option<Attribute>)> {
        let column = self.columns.get(number)?;
        Some((column, self.seen.get(column.attribute).copied().flatten()))
    }
}

impl condition::Row for Tuple<'_> {
    fn is_null(&self, number: usize) -> bool {
        self.column(number).is_none_or(|(column, seen)| {
            seen.is_none() && !(column.has_missing && column.attribute >= self.present)
        })
    }

    fn value(&self, number: usize) -> Result<Option<Value>, DatumError> {
        let Some((column, seen)) = self.column(number) else { return Ok(None) };
        let read = match (seen, column.value_type) {
            _ if condition::Row::is_null(self, number) => Ok(None),
            (Some(seen), Some(value_type)) => stored(self.raw, &seen)
                .and_then(|stored| Value::read(value_type, &stored))
                .map(Some),
            (None, Some(_)) => match &column.missing {
                Some(missing) => Ok(Some(missing.0.clone())),
                None => Err(DatumError("the value of rows older than the column is not known")),
            },
            (_, None) => Err(DatumError("values of this type can't be compared")),
        };
        read.inspect_err(|_| self.failed.set(column.attribute))
    }
}

/// An attribute's value without its varlena header, or why it can't be looked at.
fn stored<'t>(tuple: &'t [u8], attribute: &Attribute) -> Result<Cow<'t, [u8]>, DatumError> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    let bytes = tuple.get(attribute.start + header_len..attribute.end).unwrap_or_default();
    match attribute.varlena.map(|varlena| varlena.form) {
        None | Some(VarlenaForm::Short | VarlenaForm::Plain) => Ok(bytes.into()),
        Some(VarlenaForm::Compressed) => {
            let mut raw = Vec::new();
            unpack(raw_tcinfo(tuple, attribute), bytes, &mut raw)?;
            Ok(raw.into())
        }
        Some(VarlenaForm::OnDisk) => Err(DatumError(
            "what happens to the row depends on this column, whose value is stored out of line here",
        )),
    }
}
