//! Conditions that hold of masked values exactly when they held of the originals.
//!
//! A mask keeps NULL, length and character count. So `IS NULL`, lengths, and being the empty string
//! are the same before and after, and so is everything made of them and of unmasked columns alone.
//! PostgreSQL's own parser (feature `sql`) says what a condition is made of; without it, none is
//! known to be harmless.

use super::assignment::{Assignments, Nulling};
use super::scope::ColumnId;
use crate::cluster::catalog::{Column, Relation};

/// What a column reference in a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// Its value stays.
    Kept,
    /// Masked text: NULL, length and emptiness stay.
    MaskedText,
    /// Another masked column: NULL stays.
    Masked,
    /// Becomes NULL, in some rows or in all.
    Nulled,
}

impl Operand {
    pub(super) fn of(relation: &Relation, assignments: &Assignments, name: &str) -> Operand {
        let Some(column) = relation.column(name) else { return Operand::Masked };
        match &column.generated {
            Some(generated) => {
                let over = &generated.columns;
                if over.iter().any(|&attnum| assignments.is_masked(relation, attnum)) {
                    Operand::Masked
                } else {
                    Operand::Kept
                }
            }
            None => {
                let id = ColumnId { relation: relation.oid, attnum: column.attnum };
                match assignments.mask(id) {
                    Some(assignment) if assignment.nulling() != Nulling::Never => Operand::Nulled,
                    Some(_) => Operand::masked(column),
                    None => Operand::Kept,
                }
            }
        }
    }

    pub(super) fn masked(column: &Column) -> Operand {
        match column.value_type() {
            Some(value_type) if value_type.is_text() => Operand::MaskedText,
            _ => Operand::Masked,
        }
    }
}

#[cfg(not(feature = "sql"))]
pub(super) fn is_invariant(_expression: &str, _operand: &dyn Fn(&str) -> Operand) -> bool {
    false
}

#[cfg(feature = "sql")]
pub(super) use parsed::{built_in, column, invariant, is_invariant, name, parse};

#[cfg(feature = "sql")]
mod parsed {
    use pg_query::protobuf::{AConst, AExprKind, Node, a_const};
    use pg_query::{NodeEnum, ParserOptions};

    use super::Operand;

    /// True if masking can't change what `expression` comes to. `operand` says what a column is.
    pub(in super::super) fn is_invariant(
        expression: &str,
        operand: &dyn Fn(&str) -> Operand,
    ) -> bool {
        parse(expression).is_some_and(|node| invariant(Some(&node), operand))
    }

    /// What an expression is made of.
    pub(in super::super) fn parse(expression: &str) -> Option<Node> {
        let sql = format!("SELECT {expression}");
        let parsed = pg_query::parse(&sql, ParserOptions::DEFAULT).ok()?;
        let statement = parsed.protobuf.stmts.into_iter().next().and_then(|raw| raw.stmt?.node);
        let Some(NodeEnum::SelectStmt(select)) = statement else { return None };
        let [target] = select.target_list.as_slice() else { return None };
        match &target.node {
            Some(NodeEnum::ResTarget(target)) => Some((**target.val.as_ref()?).clone()),
            _ => None,
        }
    }

    pub(in super::super) fn invariant(
        node: Option<&Node>,
        operand: &dyn Fn(&str) -> Operand,
    ) -> bool {
        let Some(node) = node.and_then(|node| node.node.as_ref()) else { return false };
        let all = |nodes: &[Node]| nodes.iter().all(|node| invariant(Some(node), operand));
        match node {
            NodeEnum::AConst(_) => true,
            NodeEnum::ColumnRef(_) => column(node, operand) == Some(Operand::Kept),
            NodeEnum::TypeCast(cast) => invariant(cast.arg.as_deref(), operand),
            NodeEnum::BoolExpr(junction) => all(&junction.args),
            NodeEnum::List(list) => all(&list.items),
            NodeEnum::AArrayExpr(array) => all(&array.elements),
            NodeEnum::CoalesceExpr(coalesce) => all(&coalesce.args),
            NodeEnum::NullTest(test) => {
                let argument = test.arg.as_deref();
                invariant(argument, operand)
                    || argument
                        .and_then(|node| column(node.node.as_ref()?, operand))
                        .is_some_and(|operand| operand != Operand::Nulled)
            }
            NodeEnum::BooleanTest(test) => invariant(test.arg.as_deref(), operand),
            NodeEnum::FuncCall(call) => {
                all(&call.args)
                    || (measures_length(&call.funcname)
                        && matches!(call.args.as_slice(), [argument] if is_text(argument, operand)))
            }
            NodeEnum::AExpr(expression) => {
                let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
                let sides = left.is_none_or(|left| invariant(Some(left), operand))
                    && invariant(right, operand);
                let plain = expression.kind == AExprKind::AexprOp as i32;
                sides
                    || (plain
                        && matches!(name(&expression.name), Some("=" | "<>"))
                        && compares_with_nothing(left, right, operand))
            }
            _ => false,
        }
    }

    /// `x = ''`, either way round.
    fn compares_with_nothing(
        left: Option<&Node>,
        right: Option<&Node>,
        operand: &dyn Fn(&str) -> Operand,
    ) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return false };
        (is_text(left, operand) && is_empty_string(right))
            || (is_empty_string(left) && is_text(right, operand))
    }

    /// A masked column of text, bare or cast from one kind of text to another.
    fn is_text(node: &Node, operand: &dyn Fn(&str) -> Operand) -> bool {
        match &node.node {
            Some(NodeEnum::TypeCast(cast)) => {
                // A length after the type's name would cut the value, to a length that stays too.
                let to = cast.type_name.as_ref().and_then(|to| name(&to.names));
                matches!(to, Some("text" | "varchar"))
                    && cast.arg.as_deref().is_some_and(|argument| is_text(argument, operand))
            }
            Some(inner) => column(inner, operand) == Some(Operand::MaskedText),
            None => false,
        }
    }

    fn is_empty_string(node: &Node) -> bool {
        match &node.node {
            Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_empty_string),
            Some(NodeEnum::AConst(AConst { val: Some(a_const::Val::Sval(text)), .. })) => {
                text.sval.is_empty()
            }
            _ => false,
        }
    }

    fn measures_length(function: &[Node]) -> bool {
        let lengths = ["length", "char_length", "character_length", "octet_length"];
        built_in(function).is_some_and(|name| lengths.contains(&name))
    }

    /// The name of a function, if it is one of PostgreSQL's own.
    pub(in super::super) fn built_in(function: &[Node]) -> Option<&str> {
        match function {
            [_] => name(function),
            [schema, _] if name(std::slice::from_ref(schema)) == Some("pg_catalog") => {
                name(function)
            }
            _ => None,
        }
    }

    /// What a bare column reference is. A domain's `VALUE` is one, too.
    pub(in super::super) fn column(
        node: &NodeEnum,
        operand: &dyn Fn(&str) -> Operand,
    ) -> Option<Operand> {
        let NodeEnum::ColumnRef(reference) = node else { return None };
        let [field] = reference.fields.as_slice() else { return None };
        match &field.node {
            Some(NodeEnum::String(name)) => Some(operand(&name.sval)),
            _ => None,
        }
    }

    /// The last part of a qualified name.
    pub(in super::super) fn name(parts: &[Node]) -> Option<&str> {
        match &parts.last()?.node {
            Some(NodeEnum::String(name)) => Some(&name.sval),
            _ => None,
        }
    }
}
