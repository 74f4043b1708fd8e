//! Mask and type go together, and so do type and encoding.

use super::assignment::{Assignments, Origin};
use super::problems::Problems;
use super::scope::Scope;
use super::structured::{Misfit, column_mask};
use crate::datum::ValueType;

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    let mut text_columns: Vec<String> = Vec::new();
    for (id, assignment) in assignments.masked() {
        let Some(column) = scope.column(id) else { continue };
        let value_type = column.value_type();
        if value_type
            .is_none_or(|value_type| matches!(value_type, ValueType::Text | ValueType::Bpchar))
        {
            text_columns.push(scope.name(id));
        }
        // What a column has from elsewhere is checked there; types are compared on the way.
        let checked_elsewhere = match assignment.origin {
            Origin::Rule => false,
            Origin::Parent => true,
            Origin::ForeignKey => value_type.is_some(),
        };
        if checked_elsewhere {
            continue;
        }
        for misfit in column_mask(column, assignment).err().into_iter().flatten() {
            let Misfit { code, message, remedy } = misfit;
            problems.push(scope.column_refusal(code, id, message, remedy));
        }
    }
    check_encoding(scope, &text_columns, problems);
}

/// Masks know where a character ends in UTF-8. SQL_ASCII says nothing of its bytes, so that masks
/// leave those beyond ASCII alone where they are not UTF-8.
fn check_encoding(scope: &Scope<'_>, text_columns: &[String], problems: &mut Problems) {
    let encoding = &scope.database.info.encoding;
    if text_columns.is_empty() || matches!(encoding.as_str(), "UTF8" | "SQL_ASCII") {
        return;
    }
    problems.push(scope.refusal(
        "unsupported_encoding",
        format!(
            "the database is encoded in {encoding}; text is masked in UTF8 alone, and {} columns \
             of text have a mask: {}",
            text_columns.len(),
            text_columns.join(", ")
        ),
        "keep these columns, or convert the database to UTF8 on the source",
    ));
}
