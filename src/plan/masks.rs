//! Mask and type go together, and so do type and encoding.

use super::assignment::{Assignments, Nulling, Origin};
use super::problems::Problems;
use super::scope::Scope;
use super::structured::{Misfit, column_mask};
use crate::datum::{Encoding, ValueType};

pub(super) fn check(scope: &Scope<'_>, assignments: &Assignments, problems: &mut Problems) {
    let mut text_columns: Vec<String> = Vec::new();
    for (id, assignment) in assignments.masked() {
        let Some(column) = scope.column(id) else { continue };
        let value_type = column.value_type();
        let holds_text = value_type
            .is_none_or(|value_type| value_type.is_text() || value_type == ValueType::Ltree);
        if holds_text && assignment.nulling() != Nulling::Always {
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
        for misfit in column_mask(scope, column, assignment).err().into_iter().flatten() {
            let Misfit { code, message, remedy } = misfit;
            problems.push(scope.column_refusal(code, id, message, remedy));
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

#[cfg(test)]
mod tests {
    use crate::cluster::catalog::TypeName;
    use crate::cluster::catalog::sample::Sample;
    use crate::datum::{EnumLabels, ValueType};
    use crate::error::Error;
    use crate::plan::{Action, plan};
    use crate::rules::RuleSet;

    /// A table `s.t` with a column `c` of this type.
    fn sample(base_type: TypeName) -> Sample {
        let mut sample = Sample::new("d");
        let column = &mut sample.table("s.t", &["c text"]).columns[0];
        column.declared_type = format!("{}.{}", base_type.schema, base_type.name);
        column.base_type = Some(base_type);
        sample
    }

    fn planned(base_type: TypeName, rule: &str) -> Result<Action, String> {
        let rules = format!("version = 1\n[databases.d.tables.\"s.t\"]\nc = {rule}\n");
        let rules = RuleSet::from_toml(&rules).unwrap();
        match plan(&rules, &sample(base_type).catalog()) {
            Ok(plan) => Ok(plan.databases[0].relations[0].attributes[0].action.clone()),
            Err(Error::Refused(refusals)) => Err(format!("{:?}", refusals)),
            Err(error) => panic!("{error}"),
        }
    }

    fn extension(extension: &str, name: &str) -> TypeName {
        TypeName {
            schema: "anywhere".to_owned(),
            name: name.to_owned(),
            extension: Some(extension.to_owned()),
            labels: None,
        }
    }

    #[test]
    fn types_of_extensions_are_known_by_extension_and_name_whatever_their_schema() {
        for (owner, name, mask, value_type) in [
            ("citext", "citext", "\"email\"", ValueType::Citext),
            ("vector", "halfvec", "\"noise\"", ValueType::Halfvec),
            ("ltree", "ltree", "\"alphanumeric\"", ValueType::Ltree),
        ] {
            let Ok(Action::Mask(spec)) = planned(extension(owner, name), mask) else {
                panic!("{name} is refused");
            };
            assert_eq!(spec.value().unwrap().value_type, value_type);
        }
        let refused = planned(extension("postgis", "geometry"), "\"redact\"").unwrap_err();
        assert!(refused.contains("unsupported_type") && refused.contains("anywhere.geometry"));
        let other = planned(extension("mine", "citext"), "\"email\"").unwrap_err();
        assert!(other.contains("unsupported_type"), "{other}");
    }

    #[test]
    fn an_enum_takes_its_labels_along_and_no_other_constant() {
        let labels = EnumLabels(vec![(16_402, "sad".to_owned()), (16_400, "glad".to_owned())]);
        let mood = || TypeName {
            schema: "s".to_owned(),
            name: "mood".to_owned(),
            labels: Some(labels.clone()),
            ..TypeName::default()
        };
        let Ok(Action::Mask(spec)) = planned(mood(), "\"enum\"") else { panic!("refused") };
        let spec = spec.value().unwrap();
        assert_eq!((spec.value_type, &spec.labels), (ValueType::Enum, &labels));
        assert!(planned(mood(), "{ mask = \"constant\", value = \"sad\" }").is_ok());
        let refused = planned(mood(), "{ mask = \"constant\", value = \"mad\" }").unwrap_err();
        assert!(refused.contains("labels of this type: sad, glad"), "{refused}");
    }
}
