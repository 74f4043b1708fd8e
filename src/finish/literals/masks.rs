//! The masks of columns whose originals may stand in code.

use super::super::FinishJob;
use super::known::Find;
use crate::error::Result;
use crate::mask::{ColumnMask, Mask, NoWitness};
use crate::plan::{Action, AttributePlan};

/// By number of the column of originals: its mask, or why a literal can't be masked.
pub(super) struct Masks(Vec<std::result::Result<ColumnMask<Mask>, String>>);

impl Masks {
    pub(super) fn compile(job: &FinishJob<'_>) -> Result<Masks> {
        let mut masks = Vec::new();
        // Columns are numbered as the plan has them.
        let relations = job.plan.databases.iter().flat_map(|database| &database.relations);
        for attribute in relations.flat_map(|relation| &relation.attributes) {
            let of = job.originals.columns().get(masks.len());
            let name = of.map(|of| format!("{}.{}", of.table, of.column)).unwrap_or_default();
            masks.push(match mask_of(attribute) {
                Some(mask) => Ok(mask.compile(job.key)?),
                None if attribute.becomes_null() => {
                    Err(format!("values of {name} become NULL, which no literal can"))
                }
                None => Err(format!(
                    "what becomes of a value of {name} depends on its row, or on where in a larger \
                     value it stands"
                )),
            });
        }
        Ok(Masks(masks))
    }

    /// What becomes of a value found in code: what the masks of all columns that it is an original
    /// of agree on.
    pub(super) fn masked(&self, find: &Find, value: &[u8]) -> std::result::Result<Vec<u8>, String> {
        let mut agreed: Option<Vec<u8>> = None;
        for column in &find.columns {
            let mask = match self.0.get(*column as usize) {
                Some(Ok(mask)) => mask,
                Some(Err(why)) => return Err(why.clone()),
                None => return Err("its column is unknown".to_owned()),
            };
            let mut masked = value.to_vec();
            let result = mask.masker().apply(&mut masked, &mut NoWitness);
            result.map_err(|_| "it is no value that the column's mask can read".to_owned())?;
            if agreed.as_ref().is_some_and(|agreed| *agreed != masked) {
                return Err(
                    "the masks of these columns make different values of one literal, and \
                            it can't be told which column it is compared with"
                        .to_owned(),
                );
            }
            agreed = Some(masked);
        }
        agreed.ok_or_else(|| "its column is unknown".to_owned())
    }

    /// The same for text.
    pub(super) fn masked_text(
        &self,
        find: &Find,
        text: &str,
    ) -> std::result::Result<String, String> {
        let masked = self.masked(find, text.as_bytes())?;
        String::from_utf8(masked).map_err(|_| "its masked value is no text".to_owned())
    }
}

/// The mask of a column in which equal values have equal outputs, whatever the row.
fn mask_of(attribute: &AttributePlan) -> Option<&ColumnMask> {
    let Action::Mask(mask) = &attribute.action else { return None };
    let by_row = attribute.subject.is_some()
        || !attribute.persona.is_empty()
        || attribute.condition.is_some();
    (!by_row && mask.value().is_some()).then_some(mask)
}
