//! A column's rule × the structure of its type → its mask, part by part.

use std::collections::BTreeMap;

use super::assignment::Assignment;
use super::scope::Scope;
use super::shuffle;
use crate::cluster::catalog::Column;
use crate::datum::{Encoding, EnumLabels, Field, Part, Structure, ValueType};
use crate::mask::{
    self, Alone, ColumnMask, FieldMask, MaskSpec, PathAction, PathMasks, PathTree, ScalarMask,
    ShuffleMask,
};
use crate::rules::{
    ColumnRule, JsonPath, MaskName, MaskOptions, PartDefault, Parts, Step, did_you_mean, rule_line,
};

/// Why a rule and a type do not go together.
pub(super) struct Misfit {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// The mask that an assignment means for a column; `None` where they do not go together.
pub(super) fn planned_mask(
    scope: &Scope<'_>,
    column: &Column,
    assignment: &Assignment,
) -> Option<ColumnMask> {
    column_mask(scope, column, assignment).ok()
}

/// The mask that an assignment means for a column, or every reason why there is none.
pub(super) fn column_mask(
    scope: &Scope<'_>,
    column: &Column,
    assignment: &Assignment,
) -> Result<ColumnMask, Vec<Misfit>> {
    // Text in an encoding that is none of these has been refused.
    let encoding = Encoding::from_name(&scope.database.info.encoding).unwrap_or_default();
    let labels = column.base_type.as_ref().and_then(|base| base.labels.clone());
    let structure = match (column.value_type(), labels) {
        (Some(_), Some(labels)) => &Structure::Enum(labels),
        (Some(value_type), None) => &Structure::Value(value_type),
        (None, _) => &column.structure,
    };
    if assignment.mask == MaskName::Null {
        return Ok(super::nulls::column_mask(encoding, structure));
    }
    let mut planner = Planner { encoding, misfits: Vec::new() };
    let mut rule = assignment.rule();
    // What a rule leaves open here has been settled.
    rule.domain = Some(assignment.domain.clone());
    let at = Place { type_name: &column.declared_type, path: "" };
    let mask = planner.mask(at, structure, &rule);
    if planner.misfits.is_empty() { Ok(mask) } else { Err(planner.misfits) }
}

/// Where in a column's type a rule is looked at.
#[derive(Clone, Copy)]
struct Place<'a> {
    type_name: &'a str,
    /// `.address.street`; empty for the column itself.
    path: &'a str,
}

struct Planner {
    encoding: Encoding,
    misfits: Vec<Misfit>,
}

impl Planner {
    fn misfit(&mut self, at: Place<'_>, code: &'static str, message: String, remedy: String) {
        let message = match at.path {
            "" => message,
            path => format!("field {path}: {message}"),
        };
        self.misfits.push(Misfit { code, message, remedy });
    }

    fn mask(&mut self, at: Place<'_>, structure: &Structure, rule: &ColumnRule) -> ColumnMask {
        if rule.mask == MaskName::Keep {
            return ColumnMask::Keep;
        }
        if rule.mask == MaskName::Null {
            return self.part_of(at);
        }
        if rule.mask == MaskName::Shuffle {
            return self.shuffle(at, structure, rule);
        }
        match (structure, rule.parts.as_deref()) {
            (Structure::Array(element), _) => {
                let Part { structure, layout, type_name } = element.as_ref();
                let element = self.mask(Place { type_name, ..at }, structure, rule);
                ColumnMask::Array { layout: *layout, element: Box::new(element) }
            }
            (Structure::Value(value_type), None) => match self.spec(at, *value_type, rule) {
                Some(spec) => ColumnMask::Value(spec),
                None => ColumnMask::Keep,
            },
            (Structure::Enum(labels), None) => self.label(at, labels, rule),
            (Structure::Composite(fields), Some(Parts::Fields(rules))) => {
                self.check_names(at, fields, rules);
                let fields = fields.iter().map(|field| self.field(at, field, rules));
                ColumnMask::Composite(fields.collect())
            }
            (Structure::Composite(fields), _) => {
                self.misfit(
                    at,
                    "fields_needed",
                    format!("a value of type {} has fields: each has its own rule", at.type_name),
                    super::suggest::suggested_fields(fields),
                );
                ColumnMask::Keep
            }
            (Structure::Json, _) => self.document(at, rule, ColumnMask::Json),
            (Structure::Jsonb, _) => self.document(at, rule, ColumnMask::Jsonb),
            (Structure::Hstore, _) => self.hstore(at, rule),
            (Structure::Range(bound), None) => {
                let layout = bound.layout;
                self.bounds(at, bound, rule, |bound| ColumnMask::Range { layout, bound })
            }
            (Structure::Multirange(bound), None) => {
                let layout = bound.layout;
                self.bounds(at, bound, rule, |bound| ColumnMask::Multirange { layout, bound })
            }
            (Structure::Xml, None) => {
                self.spec(at, ValueType::Text, rule).map_or(ColumnMask::Keep, ColumnMask::Xml)
            }
            (Structure::TsVector, None) => self.lexemes(at, rule, ColumnMask::TsVector),
            (Structure::TsQuery, None) => self.lexemes(at, rule, ColumnMask::TsQuery),
            (Structure::Unknown, _) => self.unsupported(at),
            (_, Some(_)) => {
                self.wrong_parts(at, "a mask's name, \"text\" say");
                ColumnMask::Keep
            }
        }
    }

    /// Values of all known types change places as wholes.
    fn shuffle(&mut self, at: Place<'_>, structure: &Structure, rule: &ColumnRule) -> ColumnMask {
        if !at.path.is_empty() {
            self.wrong_parts(at, "\"text\", say; shuffle moves whole values of a column");
            return ColumnMask::Keep;
        }
        if !shuffle::knows(structure) {
            return self.unsupported(at);
        }
        let alone = match Alone::named(rule.options.alone.as_deref()) {
            Ok(Alone::Deny) => Alone::Deny,
            Ok(Alone::Keep) => Alone::Keep,
            Ok(Alone::Mask(mask)) => match self.mask(at, structure, &ColumnRule::new(mask)) {
                ColumnMask::Value(spec) => Alone::Mask(spec),
                _ => {
                    let what = format!("alone = {:?} is for values without parts", mask.as_str());
                    let remedy = "alone = \"keep\", or leave it out".to_owned();
                    self.misfit(at, "mask_options", what, remedy);
                    Alone::Deny
                }
            },
            Err(what) => {
                self.misfit(at, "mask_options", what, "mend it in the rule file".to_owned());
                Alone::Deny
            }
        };
        ColumnMask::Shuffle(ShuffleMask { domain: rule.domain().to_owned(), alone })
    }

    fn document(
        &mut self,
        at: Place<'_>,
        rule: &ColumnRule,
        document: fn(PathMasks) -> ColumnMask,
    ) -> ColumnMask {
        match rule.parts.as_deref() {
            Some(Parts::Paths(rules, default)) => document(self.paths(at, rules, default)),
            Some(_) => {
                self.wrong_parts(at, "{ paths = { \"$.name\" = \"text\" }, default = \"deny\" }");
                ColumnMask::Keep
            }
            None => document(self.paths(at, &BTreeMap::new(), &of_all(rule))),
        }
    }

    fn hstore(&mut self, at: Place<'_>, rule: &ColumnRule) -> ColumnMask {
        ColumnMask::Hstore(match rule.parts.as_deref() {
            Some(Parts::Keys(rules, default)) => {
                let path = |key: &String| JsonPath(vec![Step::Key(key.clone())]);
                let rules = rules.iter().map(|(key, rule)| (path(key), rule.clone())).collect();
                self.paths(at, &rules, default)
            }
            Some(_) => {
                self.wrong_parts(at, "{ keys = { name = \"text\" }, default = \"deny\" }");
                return ColumnMask::Keep;
            }
            None => self.paths(at, &BTreeMap::new(), &of_all(rule)),
        })
    }

    fn bounds(
        &mut self,
        at: Place<'_>,
        bound: &Part,
        rule: &ColumnRule,
        range: impl FnOnce(MaskSpec) -> ColumnMask,
    ) -> ColumnMask {
        let value_type = match bound.structure {
            Structure::Value(value_type) if mask::takes_bounds(value_type) => value_type,
            _ => return self.unsupported(at),
        };
        let Some(spec) = self.spec(at, value_type, rule) else { return ColumnMask::Keep };
        let needs_permutation = mask::bounds_need_permutation(value_type);
        if needs_permutation && !mask::is_injective(spec.mask, value_type, &spec.options) {
            let permutation = match value_type {
                ValueType::Numeric => MaskName::Numeric,
                ValueType::Uuid => MaskName::Uuid,
                _ => MaskName::Ip,
            };
            self.misfit(
                at,
                "mask_type_mismatch",
                format!("bounds of this range need a permutation, not mask {}", rule.mask),
                format!("\"{permutation}\""),
            );
            return ColumnMask::Keep;
        }
        range(spec)
    }

    /// Lexemes of one vector differ, and have to afterwards; a query finds what it found if its own
    /// are masked likewise.
    fn lexemes(
        &mut self,
        at: Place<'_>,
        rule: &ColumnRule,
        whole: fn(MaskSpec) -> ColumnMask,
    ) -> ColumnMask {
        let Some(spec) = self.spec(at, ValueType::Text, rule) else { return ColumnMask::Keep };
        if mask::is_injective(spec.mask, ValueType::Text, &spec.options) {
            return whole(spec);
        }
        self.misfit(
            at,
            "mask_type_mismatch",
            format!("lexemes need a permutation, which mask {} is not", rule.mask),
            "\"alphanumeric\", or \"digits\"".to_owned(),
        );
        ColumnMask::Keep
    }

    fn unsupported(&mut self, at: Place<'_>) -> ColumnMask {
        self.misfit(
            at,
            "unsupported_type",
            format!(
                "values of type {} can become NULL or stay, and nothing else yet",
                at.type_name
            ),
            "\"null\" for the whole column, or \"keep\"; or drop it on the source".to_owned(),
        );
        ColumnMask::Keep
    }

    /// A part of a value can't go: the value would be shorter.
    fn part_of(&mut self, at: Place<'_>) -> ColumnMask {
        self.misfit(
            at,
            "mask_type_mismatch",
            "mask null is for whole columns, not for parts of their values".to_owned(),
            "\"redact\" for the part, or \"null\" for the column".to_owned(),
        );
        ColumnMask::Keep
    }

    fn wrong_parts(&mut self, at: Place<'_>, remedy: &str) {
        let message = format!("the rule is for another kind of value than type {}", at.type_name);
        self.misfit(at, "mask_type_mismatch", message, format!("a rule for this type: {remedy}"));
    }

    /// A mask for values of one type.
    fn spec(
        &mut self,
        at: Place<'_>,
        value_type: ValueType,
        rule: &ColumnRule,
    ) -> Option<MaskSpec> {
        if !mask::supports(rule.mask, value_type) {
            let suited: Vec<&str> =
                mask::suited_masks(value_type).iter().map(|mask| mask.as_str()).collect();
            self.misfit(
                at,
                "mask_type_mismatch",
                format!("mask {} is not for type {}", rule.mask, at.type_name),
                format!("masks for this type: {}, null", suited.join(", ")),
            );
            return None;
        }
        if let Err(what) = mask::check_options(rule.mask, Some(value_type), &rule.options) {
            self.misfit(
                at,
                "mask_options",
                format!("the options of mask {} do not work: {what}", rule.mask),
                "mend the options in the rule file".to_owned(),
            );
            return None;
        }
        Some(MaskSpec {
            mask: rule.mask,
            domain: rule.domain().to_owned(),
            value_type,
            encoding: self.encoding,
            options: rule.options.clone(),
            labels: EnumLabels::default(),
        })
    }

    fn label(&mut self, at: Place<'_>, labels: &EnumLabels, rule: &ColumnRule) -> ColumnMask {
        let Some(spec) = self.spec(at, ValueType::Enum, rule) else { return ColumnMask::Keep };
        if let (MaskName::Constant, Some(value)) = (rule.mask, &rule.options.value)
            && labels.named(value).is_none()
        {
            let known: Vec<&str> = labels.0.iter().map(|(_, label)| label.as_str()).collect();
            self.misfit(
                at,
                "mask_options",
                format!("{value:?} is no label of type {}", at.type_name),
                format!("labels of this type: {}", known.join(", ")),
            );
        }
        ColumnMask::Value(MaskSpec { labels: labels.clone(), ..spec })
    }

    fn check_names(&mut self, at: Place<'_>, fields: &[Field], rules: &Rules) {
        let names = || fields.iter().filter(|field| !field.dropped).map(|f| f.name.as_str());
        for name in rules.keys().filter(|name| names().all(|known| known != name.as_str())) {
            self.misfit(
                at,
                "unknown_field",
                format!("type {} has no field {name:?}", at.type_name),
                did_you_mean(name, names()),
            );
        }
    }

    fn field(&mut self, at: Place<'_>, field: &Field, rules: &Rules) -> FieldMask {
        let Part { structure, layout, type_name } = &field.part;
        let path = format!("{}.{}", at.path, field.name);
        let at = Place { type_name, path: &path };
        let mask = match rules.get(&field.name) {
            _ if field.dropped => ColumnMask::Zero,
            Some(rule) => self.mask(at, structure, rule),
            None => {
                let rule = super::suggest::guess_structured(&field.name, structure).rule;
                self.misfit(
                    at,
                    "unlisted_field",
                    format!("no rule names this field of type {type_name}"),
                    format!("fields = {{ {}, … }}", rule_line(&field.name, &rule)),
                );
                ColumnMask::Keep
            }
        };
        FieldMask { layout: *layout, mask }
    }

    fn paths(
        &mut self,
        at: Place<'_>,
        rules: &BTreeMap<JsonPath, ColumnRule>,
        default: &PartDefault,
    ) -> PathMasks {
        let mut actions = Vec::new();
        for (path, rule) in rules {
            let path = format!("{} {path}", at.path);
            actions.push(self.scalars(Place { path: path.trim_start(), ..at }, rule));
        }
        let default = match default {
            PartDefault::Deny => PathAction::Deny,
            PartDefault::Rule(rule) => self.scalars(at, rule),
        };
        PathMasks { tree: PathTree::new(rules.keys()), actions, default }
    }

    /// One rule for strings, numbers and booleans alike: those that its mask is not for get the
    /// one of their type that hides them.
    fn scalars(&mut self, at: Place<'_>, rule: &ColumnRule) -> PathAction {
        if rule.mask == MaskName::Keep {
            return PathAction::Keep;
        }
        if rule.mask == MaskName::Null {
            self.part_of(at);
            return PathAction::Keep;
        }
        let spec = |mask: MaskName, value_type, options: &MaskOptions| MaskSpec {
            mask,
            domain: rule.domain.clone().unwrap_or_else(|| mask.as_str().to_owned()),
            value_type,
            encoding: self.encoding,
            options: options.clone(),
            labels: EnumLabels::default(),
        };
        let fits = |value_type| {
            mask::supports(rule.mask, value_type)
                && mask::check_options(rule.mask, Some(value_type), &rule.options).is_ok()
        };
        let none = MaskOptions::default();
        let text = if fits(ValueType::Text) {
            spec(rule.mask, ValueType::Text, &rule.options)
        } else {
            spec(MaskName::Alphanumeric, ValueType::Text, &none)
        };
        let number = if fits(ValueType::Numeric) {
            spec(rule.mask, ValueType::Numeric, &rule.options)
        } else if rule.mask == MaskName::Constant {
            spec(MaskName::Redact, ValueType::Numeric, &none)
        } else {
            spec(MaskName::Numeric, ValueType::Numeric, &none)
        };
        if !fits(ValueType::Text) && !fits(ValueType::Numeric) {
            self.misfit(
                at,
                "mask_type_mismatch",
                format!("mask {} is for neither strings nor numbers", rule.mask),
                "a mask for text or numeric, or keep".to_owned(),
            );
        }
        let truth = rule.options.value.as_deref() == Some("true");
        PathAction::Mask(ScalarMask { text, number, boolean: truth })
    }
}

type Rules = BTreeMap<String, ColumnRule>;

/// A rule that names no path or key is for all of them.
fn of_all(rule: &ColumnRule) -> PartDefault {
    PartDefault::Rule(Box::new(rule.clone()))
}
