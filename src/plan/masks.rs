//! Mask and type go together, and so do type and encoding.

use super::assignment::{Assignments, Origin};
use super::problems::Problems;
use super::scope::Scope;
use crate::datum::Encoding;
use crate::mask;

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    let mut text_columns: Vec<String> = Vec::new();
    for (id, assignment) in assignments.masked() {
        let Some(column) = scope.column(id) else { continue };
        let Some(value_type) = column.value_type() else {
            if assignment.origin != Origin::Parent {
                problems.push(scope.column_refusal(
                    "unsupported_type",
                    id,
                    format!("values of type {} can't be masked yet", column.declared_type),
                    "keep the column, or drop it on the source",
                ));
            }
            continue;
        };
        if value_type.is_text() {
            text_columns.push(scope.name(id));
        }
        // What a column has from elsewhere is checked there; types are compared on the way.
        if assignment.origin != Origin::Rule {
            continue;
        }
        if !mask::supports(assignment.mask, value_type) {
            let suited: Vec<&str> =
                mask::suited_masks(value_type).iter().map(|mask| mask.as_str()).collect();
            problems.push(scope.column_refusal(
                "mask_type_mismatch",
                id,
                format!("mask {} is not for type {}", assignment.mask, column.declared_type),
                format!("masks for this type: {}", suited.join(", ")),
            ));
        } else if let Err(what) =
            mask::check_options(assignment.mask, Some(value_type), &assignment.options)
        {
            problems.push(scope.column_refusal(
                "mask_options",
                id,
                format!("the options of mask {} do not work: {what}", assignment.mask),
                "mend the options in the rule file",
            ));
        }
    }
    check_encoding(scope, &text_columns, problems);
}

/// Masks have to know where a character ends.
fn check_encoding(scope: &Scope<'_>, text_columns: &[String], problems: &mut Problems) {
    let encoding = &scope.database.info.encoding;
    if text_columns.is_empty() || Encoding::from_name(encoding).is_some() {
        return;
    }
    problems.push(scope.refusal(
        "unsupported_encoding",
        format!(
            "the database is encoded in {encoding}, in which no text can be masked, and {} columns \
             of text have a mask: {}",
            text_columns.len(),
            text_columns.join(", ")
        ),
        "keep these columns, or convert the database to UTF8 on the source",
    ));
}
