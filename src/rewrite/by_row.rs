//! What masks look at besides the value itself: other columns of the same row, as they were.

use std::borrow::Cow;

use super::heap::raw_tcinfo;
use super::packed::unpack;
use super::page::{Fault, TuplePlace};
use crate::mask::canonical_subject;
use crate::page::{Attribute, Storage, TupleHeader, VarlenaForm, walk_attributes};
use crate::plan::{RelationPlan, SubjectPlan};

/// The columns that masks of one relation look at, and what they hold in the row at hand.
pub(super) struct Row<'p> {
    subjects: Vec<Subject<'p>>,
    /// By attribute: its subject among `subjects`.
    of: Vec<Option<usize>>,
}

struct Subject<'p> {
    plan: &'p SubjectPlan,
    /// Its canonical form in this row.
    value: Vec<u8>,
    is_null: bool,
}

impl<'p> Row<'p> {
    /// `None` if no mask of the relation looks at other columns.
    pub(super) fn new(relation: &'p RelationPlan) -> Option<Box<Row<'p>>> {
        let mut subjects: Vec<Subject<'p>> = Vec::new();
        let of = relation.attributes.iter().map(|attribute| {
            let plan = attribute.subject.as_ref()?;
            let known = subjects.iter().position(|subject| subject.plan == plan);
            Some(known.unwrap_or_else(|| {
                subjects.push(Subject { plan, value: Vec::new(), is_null: true });
                subjects.len() - 1
            }))
        });
        let of: Vec<Option<usize>> = of.collect();
        (!subjects.is_empty()).then(|| Box::new(Row { subjects, of }))
    }

    /// Reads a row before anything of it is changed.
    pub(super) fn read(
        &mut self,
        raw: &[u8],
        storage: &[Storage],
        place: TuplePlace,
    ) -> Result<(), Fault> {
        let present = TupleHeader::read(raw)?.natts;
        for Subject { plan, value, is_null } in &mut self.subjects {
            // A row older than the column has what the catalog says; null, if it says nothing.
            let missing = plan.missing.as_ref().filter(|_| plan.attribute >= present);
            *is_null = missing.is_none();
            value.clear();
            value.extend(missing.into_iter().flat_map(|missing| &missing.0));
        }
        walk_attributes(raw, storage, |attribute| {
            let wanted = |subject: &&mut Subject<'_>| subject.plan.attribute == attribute.index;
            for Subject { plan, value, is_null } in self.subjects.iter_mut().filter(wanted) {
                *is_null = false;
                let written = stored(raw, &attribute).and_then(|stored| {
                    canonical_subject(plan.value_type, plan.encoding, &stored, value)
                        .map_err(|error| error.0)
                });
                written.map_err(|what| Fault::Unsupported {
                    what,
                    attribute: attribute.index,
                    line_pointer: place.line_pointer,
                })?;
            }
            Ok::<(), Fault>(())
        })?;
        Ok(())
    }

    /// Whose this row's value of an attribute is; `None` if its mask takes no subject, or the
    /// subject is null.
    pub(super) fn subject(&self, attribute: usize) -> Option<&[u8]> {
        let subject = self.subjects.get((*self.of.get(attribute)?)?)?;
        (!subject.is_null).then_some(&subject.value)
    }
}

/// An attribute's value without its varlena header, or why it can't be looked at.
fn stored<'t>(tuple: &'t [u8], attribute: &Attribute) -> Result<Cow<'t, [u8]>, &'static str> {
    let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
    let bytes = tuple.get(attribute.start + header_len..attribute.end).unwrap_or_default();
    match attribute.varlena.map(|varlena| varlena.form) {
        None | Some(VarlenaForm::Short | VarlenaForm::Plain) => Ok(bytes.into()),
        Some(VarlenaForm::Compressed) => {
            let mut raw = Vec::new();
            unpack(raw_tcinfo(tuple, attribute), bytes, &mut raw).map_err(|error| error.0)?;
            Ok(raw.into())
        }
        Some(VarlenaForm::OnDisk) => {
            Err("a mask depends on this column, whose value is stored out of line here")
        }
    }
}
