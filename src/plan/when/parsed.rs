//! PostgreSQL's parse tree of an expression → a condition.

use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, BoolTestType, Node, NullTestType};

use super::literal::{self, Literal};
use super::tree::{comparison, expression, items, literal_of, typed, what_it_is};
use crate::cluster::catalog::{Collation, Column, Relation};
use crate::datum::condition::{Class, Comparison, Condition, Operand, Pattern};
use crate::datum::{Structure, ValueType};
use crate::plan::scope::Scope;
use crate::plan::{ConditionColumn, ConditionPlan, Secret};
use crate::rules::did_you_mean;

const REMEDY: &str = "conditions are made of columns of the row, constants, = <> < <= > >=, IN, \
                      BETWEEN, LIKE, IS [NOT] NULL, IS [NOT] TRUE, IS [NOT] DISTINCT FROM, AND, OR \
                      and NOT: \"country = 'DE' AND NOT deleted\"";

pub(super) fn condition(
    scope: &Scope<'_>,
    relation: &Relation,
    text: &str,
) -> Result<ConditionPlan, (String, String)> {
    let mut builder = Builder {
        relation,
        is_utf8: scope.database.info.encoding == "UTF8",
        columns: Vec::new(),
        remedy: REMEDY.to_owned(),
    };
    let condition = expression(text).and_then(|node| builder.condition(&node));
    let Builder { columns, remedy, .. } = builder;
    match condition {
        Ok(condition) => Ok(ConditionPlan { condition, columns, otherwise: None }),
        Err(what) => Err((format!("its condition can't be evaluated: {what}"), remedy)),
    }
}

struct Builder<'a> {
    relation: &'a Relation,
    is_utf8: bool,
    columns: Vec<ConditionColumn>,
    remedy: String,
}

/// One side of a comparison.
enum Side<'a> {
    Column {
        column: &'a Column,
        number: usize,
        /// `COLLATE "C"`
        bytewise: bool,
    },
    Literal {
        literal: Literal,
        bytewise: bool,
    },
}

type Built<T = Condition> = Result<T, String>;

impl<'a> Builder<'a> {
    fn condition(&mut self, node: &Node) -> Built {
        let Some(node) = &node.node else { return Err("a part of it is missing".to_owned()) };
        match node {
            NodeEnum::AConst(constant) => match literal_of(constant) {
                Some(Literal::Bool(truth)) => Ok(Condition::Constant(Some(truth))),
                Some(Literal::Null) => Ok(Condition::Constant(None)),
                _ => Err("a constant that is not true or false is no condition".to_owned()),
            },
            NodeEnum::ColumnRef(_) => {
                let column = self.side(node)?;
                let truth = Side::Literal { literal: Literal::Bool(true), bytewise: false };
                self.compare(column, Comparison::Equal, truth)
            }
            NodeEnum::BoolExpr(junction) => {
                let mut parts = Vec::new();
                for part in &junction.args {
                    parts.push(self.condition(part)?);
                }
                match BoolExprType::try_from(junction.boolop) {
                    Ok(BoolExprType::AndExpr) => Ok(Condition::And(parts)),
                    Ok(BoolExprType::OrExpr) => Ok(Condition::Or(parts)),
                    Ok(BoolExprType::NotExpr) if parts.len() == 1 => Ok(not(parts.remove(0))),
                    _ => Err("a junction of an unknown kind".to_owned()),
                }
            }
            NodeEnum::NullTest(test) => {
                let Some(arg) = test.arg.as_deref() else {
                    return Err("IS NULL of nothing".to_owned());
                };
                let is_null = match &arg.node {
                    Some(NodeEnum::ColumnRef(_)) => self.is_null(arg)?,
                    _ => Condition::Is(Box::new(self.condition(arg)?), None),
                };
                let negated = test.nulltesttype == NullTestType::IsNotNull as i32;
                Ok(if negated { not(is_null) } else { is_null })
            }
            NodeEnum::BooleanTest(test) => {
                let Some(arg) = test.arg.as_deref() else {
                    return Err("IS TRUE of nothing".to_owned());
                };
                let (truth, negated) = match BoolTestType::try_from(test.booltesttype) {
                    Ok(BoolTestType::IsTrue) => (Some(true), false),
                    Ok(BoolTestType::IsNotTrue) => (Some(true), true),
                    Ok(BoolTestType::IsFalse) => (Some(false), false),
                    Ok(BoolTestType::IsNotFalse) => (Some(false), true),
                    Ok(BoolTestType::IsUnknown) => (None, false),
                    Ok(BoolTestType::IsNotUnknown) => (None, true),
                    _ => return Err("a test of an unknown kind".to_owned()),
                };
                let is = Condition::Is(Box::new(self.condition(arg)?), truth);
                Ok(if negated { not(is) } else { is })
            }
            NodeEnum::AExpr(expression) => self.operation(expression),
            other => Err(what_it_is(other).to_owned()),
        }
    }

    fn operation(&mut self, expression: &AExpr) -> Built {
        let operator = match expression.name.as_slice() {
            [Node { node: Some(NodeEnum::String(name)) }] => name.sval.as_str(),
            _ => return Err("an operator with a schema".to_owned()),
        };
        let (Some(left), Some(right)) = (&expression.lexpr, &expression.rexpr) else {
            return Err(format!("operator {operator} has one side"));
        };
        let kind = AExprKind::try_from(expression.kind).unwrap_or(AExprKind::Undefined);
        match kind {
            AExprKind::AexprOp => {
                let comparison = comparison(operator)
                    .ok_or_else(|| format!("operator {operator} is not known here"))?;
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                self.compare(left, comparison, right)
            }
            AExprKind::AexprDistinct | AExprKind::AexprNotDistinct => {
                let distinct = self.distinct(left, right)?;
                let same = kind == AExprKind::AexprNotDistinct;
                Ok(if same { not(distinct) } else { distinct })
            }
            AExprKind::AexprIn => {
                let mut found = Vec::new();
                for item in items(right)? {
                    let (left, item) = (self.operand(left)?, self.operand(item)?);
                    found.push(self.compare(left, Comparison::Equal, item)?);
                }
                let found = Condition::Or(found);
                Ok(if operator == "<>" { not(found) } else { found })
            }
            AExprKind::AexprBetween | AExprKind::AexprNotBetween => {
                let [low, high] = items(right)? else {
                    return Err("BETWEEN takes two bounds".to_owned());
                };
                let mut bounds = Vec::new();
                for (comparison, bound) in
                    [(Comparison::GreaterOrEqual, low), (Comparison::LessOrEqual, high)]
                {
                    let (left, bound) = (self.operand(left)?, self.operand(bound)?);
                    bounds.push(self.compare(left, comparison, bound)?);
                }
                let between = Condition::And(bounds);
                Ok(if kind == AExprKind::AexprNotBetween { not(between) } else { between })
            }
            AExprKind::AexprLike => {
                let like = self.like(left, right)?;
                Ok(if operator == "!~~" { not(like) } else { like })
            }
            AExprKind::AexprIlike => Err("ILIKE depends on the locale".to_owned()),
            _ => Err(format!("operator {operator} of this form is not known here")),
        }
    }

    fn like(&mut self, left: &Node, right: &Node) -> Built {
        let (
            Side::Column { column, number, bytewise },
            Side::Literal { literal: Literal::String(pattern), .. },
        ) = (self.operand(left)?, self.operand(right)?)
        else {
            return Err("LIKE takes a column and a constant pattern".to_owned());
        };
        // A char(n)'s padding counts for LIKE.
        if !matches!(column.value_type(), Some(ValueType::Text | ValueType::Name)) {
            return Err(format!("LIKE on type {}", column.declared_type));
        }
        self.check_text(column, &pattern, false, bytewise)?;
        let pattern = Pattern::parse(&pattern).ok_or("the pattern of LIKE ends in its escape")?;
        if pattern.counts_characters() && !self.is_utf8 {
            return Err("_ in LIKE, in a database that is not encoded in UTF8".to_owned());
        }
        Ok(Condition::Like(number, pattern))
    }

    fn distinct(&mut self, left: &Node, right: &Node) -> Built {
        let sides = [self.operand(left)?, self.operand(right)?];
        let mut nulls = Vec::new();
        for side in &sides {
            nulls.push(match side {
                Side::Column { number, .. } => Condition::IsNull(*number),
                Side::Literal { literal, .. } => {
                    Condition::Constant(Some(*literal == Literal::Null))
                }
            });
        }
        let [left, right] = sides;
        let differ = self.compare(left, Comparison::NotEqual, right)?;
        // Where one side is null, the comparison is; then they differ if the other is not.
        let both = Condition::And(nulls.clone());
        let one = Condition::And(vec![Condition::Or(nulls), not(both)]);
        Ok(Condition::Or(vec![one, Condition::Is(Box::new(differ), Some(true))]))
    }

    fn is_null(&mut self, node: &Node) -> Built {
        let Some(Side::Column { column, number, .. }) =
            node.node.as_ref().map(|node| self.side(node)).transpose()?
        else {
            return Err("IS NULL of something that is no column".to_owned());
        };
        match column.structure {
            Structure::Composite(_) => {
                Err(format!("IS NULL on a row: column {:?} has fields", column.name))
            }
            _ => Ok(Condition::IsNull(number)),
        }
    }

    fn operand(&mut self, node: &Node) -> Built<Side<'a>> {
        match &node.node {
            Some(node) => self.side(node),
            None => Err("a side of an operator is missing".to_owned()),
        }
    }

    fn side(&mut self, node: &NodeEnum) -> Built<Side<'a>> {
        let literal = |literal| Ok(Side::Literal { literal, bytewise: false });
        match node {
            NodeEnum::ColumnRef(reference) => {
                let [Node { node: Some(NodeEnum::String(name)) }] = reference.fields.as_slice()
                else {
                    return Err("columns are named by themselves, without a table".to_owned());
                };
                self.column(&name.sval)
            }
            NodeEnum::AConst(constant) => match literal_of(constant) {
                Some(constant) => literal(constant),
                None => Err("a constant of an unknown kind".to_owned()),
            },
            NodeEnum::TypeCast(cast) => literal(typed(cast)?),
            NodeEnum::CollateClause(clause) => {
                let name = clause.collname.last().and_then(|name| name.node.as_ref());
                let is_c = matches!(name, Some(NodeEnum::String(name)) if name.sval == "C");
                if !is_c {
                    return Err("a collation other than \"C\"".to_owned());
                }
                match clause.arg.as_deref().map(|arg| self.operand(arg)).transpose()? {
                    Some(Side::Column { column, number, .. }) => {
                        Ok(Side::Column { column, number, bytewise: true })
                    }
                    Some(Side::Literal { literal, .. }) => {
                        Ok(Side::Literal { literal, bytewise: true })
                    }
                    None => Err("a collation of nothing".to_owned()),
                }
            }
            other => Err(what_it_is(other).to_owned()),
        }
    }

    fn column(&mut self, name: &str) -> Built<Side<'a>> {
        let Some(column) = self.relation.column(name) else {
            let known = self.relation.live_columns().map(|column| column.name.as_str());
            self.remedy = did_you_mean(name, known);
            return Err(format!("{name:?} is no column of the table"));
        };
        if column.generated.as_ref().is_some_and(|generated| !generated.stored) {
            return Err(format!("{name:?} is a virtual generated column, which no row holds"));
        }
        let attribute = usize::try_from(column.attnum - 1).unwrap_or_default();
        let known = self.columns.iter().position(|known| known.attribute == attribute);
        let number = match known {
            Some(number) => number,
            None => {
                let missing = match &column.missing {
                    Some(text) if column.value_type().and_then(Class::of).is_some() => {
                        let text = Literal::String(text.0.clone());
                        let value = literal::value(column, &text);
                        let value = value.map_err(|_| {
                            format!("the default of {name:?} in older rows can't be read here")
                        })?;
                        value.map(Secret)
                    }
                    _ => None,
                };
                let has_missing = column.has_missing;
                let value_type = column.value_type();
                self.columns.push(ConditionColumn { attribute, value_type, has_missing, missing });
                self.columns.len() - 1
            }
        };
        Ok(Side::Column { column, number, bytewise: false })
    }

    fn compare(&mut self, left: Side<'a>, comparison: Comparison, right: Side<'a>) -> Built {
        match (left, right) {
            (Side::Literal { .. }, Side::Literal { .. }) => {
                Err("a comparison without a column".to_owned())
            }
            (left @ Side::Literal { .. }, right) => {
                self.compare(right, comparison.mirrored(), left)
            }
            (
                Side::Column { column, number, bytewise },
                Side::Literal { literal, bytewise: also },
            ) => {
                let about_order = comparison.is_about_order();
                let value = literal::value(column, &literal)?;
                if let Literal::String(text) | Literal::Typed(_, text) = &literal {
                    self.check_text(column, text, about_order, bytewise || also)?;
                }
                self.check_order(column, about_order)?;
                Ok(match value {
                    Some(value) => Condition::Compare(number, comparison, Operand::Value(value)),
                    None => Condition::Constant(None),
                })
            }
            (
                Side::Column { column, number, bytewise },
                Side::Column { column: other, number: to, bytewise: also },
            ) => {
                let class = |column: &Column| column.value_type().and_then(Class::of);
                let padded = |column: &Column| column.value_type() == Some(ValueType::Bpchar);
                let alike = class(column).is_some()
                    && class(column) == class(other)
                    && class(column) != Some(Class::Enum)
                    && padded(column) == padded(other);
                if !alike {
                    return Err(format!(
                        "columns {:?} and {:?} are compared, of types {} and {}",
                        column.name, other.name, column.declared_type, other.declared_type
                    ));
                }
                let about_order = comparison.is_about_order();
                for column in [column, other] {
                    self.check_text(column, "", about_order, bytewise || also)?;
                }
                Ok(Condition::Compare(number, comparison, Operand::Column(to)))
            }
        }
    }

    fn check_order(&self, column: &Column, about_order: bool) -> Built<()> {
        let is_enum = column.value_type() == Some(ValueType::Enum);
        if about_order && is_enum {
            return Err(format!("the order of an enum's labels, of column {:?}", column.name));
        }
        Ok(())
    }

    /// Text is compared by its bytes, in the database's encoding.
    fn check_text(
        &mut self,
        column: &Column,
        literal: &str,
        about_order: bool,
        bytewise: bool,
    ) -> Built<()> {
        if column.value_type().and_then(Class::of) != Some(Class::Text) {
            return Ok(());
        }
        if !literal.is_ascii() && !self.is_utf8 {
            return Err(
                "letters beyond ASCII, in a database that is not encoded in UTF8".to_owned()
            );
        }
        if bytewise || column.collation == Collation::Bytewise {
            return Ok(());
        }
        let name = &column.name;
        if about_order {
            self.remedy = format!("say by which order: \"{name} < 'M' COLLATE \\\"C\\\"\"");
            return Err(format!("the order of text in column {name:?} is its collation's"));
        }
        if column.collation == Collation::Nondeterministic {
            self.remedy = format!("say that bytes count: \"{name} = 'x' COLLATE \\\"C\\\"\"");
            return Err(format!("the collation of {name:?} holds different strings to be equal"));
        }
        Ok(())
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}
