//! The options of a mask, by their names.

use super::{At, Reader, Value};
use toml::de::DeTable;

use crate::rules::{MaskName, MaskOptions, When};

impl Reader<'_> {
    /// Reads the name of the column that says whose a value is; `None` for the mask if parts have
    /// their own.
    pub(in crate::rules) fn subject(
        &mut self,
        at: At<'_>,
        value: &Value<'_>,
        mask: Option<MaskName>,
    ) -> Option<String> {
        if let Some(mask) = mask.filter(|mask| !mask.takes_subject()) {
            self.problem_at(
                at,
                &value.span(),
                format!("mask {:?} takes no subject: nothing of it depends on one", mask.as_str()),
                "leave subject out",
            );
            return None;
        }
        let name = self.string(at, value)?;
        if name.is_empty() {
            self.problem_at(at, &value.span(), "the subject has no name", "name a column");
        }
        Some(name)
    }

    /// Reads which columns hold the names that a value is made of.
    pub(in crate::rules) fn persona(
        &mut self,
        at: At<'_>,
        value: &Value<'_>,
        mask: MaskName,
    ) -> Vec<String> {
        let columns = value.get_ref().as_array().map(|array| {
            let columns = array.iter().filter_map(|item| self.string(at, item));
            columns.collect::<Vec<String>>()
        });
        let columns = columns.filter(|columns| matches!(columns.len(), 1 | 2));
        if columns.is_none() {
            self.problem_at(
                at,
                &value.span(),
                "a persona is one column of full names, or two of given and family names",
                "persona = [\"first_name\", \"last_name\"]",
            );
        }
        let made_of_names = [MaskName::Email, MaskName::Username, MaskName::FullName];
        if !made_of_names.contains(&mask) {
            self.problem_at(
                at,
                &value.span(),
                format!("what mask {:?} makes is not made of names", mask.as_str()),
                "persona is for email, username and full_name",
            );
        }
        columns.unwrap_or_default()
    }

    /// Reads in which rows a rule is for, and what happens in the others: that is not left open.
    pub(in crate::rules) fn when(
        &mut self,
        at: At<'_>,
        rule: &Value<'_>,
        table: &DeTable<'_>,
    ) -> Option<Box<When>> {
        let (condition, otherwise) = match (table.get("when"), table.get("else")) {
            (None, None) => return None,
            (Some(condition), Some(otherwise)) => (condition, otherwise),
            (Some(_), None) => {
                self.problem_at(
                    at,
                    &rule.span(),
                    "the rule does not say what happens where its condition is false or null",
                    "else = \"keep\" leaves the originals there; else = \"redact\", say, does not",
                );
                return None;
            }
            (None, Some(_)) => {
                self.problem_at(
                    at,
                    &rule.span(),
                    "`else` without `when`",
                    "when = \"country = 'DE'\", say",
                );
                return None;
            }
        };
        let text = self.string(at, condition)?;
        let rule = self.scalar_rule(at, otherwise)?;
        Some(Box::new(When { condition: text, otherwise: rule }))
    }

    /// Reads an option that the rule's mask takes.
    pub(super) fn option(
        &mut self,
        at: At<'_>,
        name: &str,
        value: &Value<'_>,
        options: &mut MaskOptions,
    ) {
        match name {
            "locale" => options.locale = self.string(at, value),
            "value" => options.value = self.string(at, value),
            "days" => options.days = self.whole(at, value),
            "seconds" => options.seconds = self.whole(at, value),
            "unique" => options.unique = self.boolean(at, value),
            "keep_first" => options.keep_first = self.whole(at, value),
            "keep_last" => options.keep_last = self.whole(at, value),
            "country" => options.country = self.string(at, value),
            "share" => options.share = self.number(at, value),
            "scale" => options.scale = self.number(at, value),
            "distribution" => options.distribution = self.string(at, value),
            "size" => options.size = self.number(at, value),
            "keep_bits" => options.keep_bits = self.whole(at, value),
            "alone" => options.alone = self.string(at, value),
            "unit" => options.unit = self.string(at, value),
            _ => options.meters = self.number(at, value),
        }
    }
}
