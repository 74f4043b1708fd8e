//! Conditions that NULLs can't break: what they come to where columns become NULL.
//!
//! A CHECK constraint holds where its condition is true or NULL, and most conditions over a NULL
//! are NULL. PostgreSQL's own parser (feature `sql`) says what a condition is made of; without it,
//! none is known to hold.

#[cfg(not(feature = "sql"))]
mod unparsed {
    use crate::cluster::catalog::{CheckConstraint, Column, Relation};
    use crate::plan::assignment::{Assignment, Assignments};

    pub(in super::super) fn holds(_: &CheckConstraint, _: &Relation, _: &Assignments) -> bool {
        false
    }

    pub(in super::super) fn holds_of(_: &str, _: &Column, _: &Assignment) -> bool {
        false
    }
}

#[cfg(feature = "sql")]
pub(super) use parsed::{holds, holds_of};
#[cfg(not(feature = "sql"))]
pub(super) use unparsed::{holds, holds_of};

#[cfg(feature = "sql")]
mod parsed {
    use pg_query::NodeEnum;
    use pg_query::protobuf::{AExpr, AExprKind, BoolExpr, BoolExprType, Node, NullTestType};

    use crate::cluster::catalog::{CheckConstraint, Column, Relation};
    use crate::plan::assignment::{Assignment, Assignments, Nulling};
    use crate::plan::check_expression::{Operand, column, invariant, name, parse};
    use crate::plan::scope::ColumnId;
    use crate::rules::MaskName;

    /// Columns with a condition are NULL or not: of more of them than this, not every case is
    /// looked at.
    const MOST_CONDITIONAL: usize = 6;

    /// Operators of PostgreSQL's own that make NULL of a NULL.
    const STRICT_OPERATORS: [&str; 22] = [
        "=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^", "~", "~*", "!~",
        "!~*", "~~", "!~~", "~~*", "!~~*", "@",
    ];
    /// Functions of PostgreSQL's own that make NULL of a NULL.
    const STRICT_FUNCTIONS: [&str; 24] = [
        "length",
        "char_length",
        "character_length",
        "octet_length",
        "lower",
        "upper",
        "btrim",
        "ltrim",
        "rtrim",
        "abs",
        "round",
        "floor",
        "ceil",
        "date_part",
        "extract",
        "date_trunc",
        "substring",
        "substr",
        "left",
        "right",
        "replace",
        "position",
        "strpos",
        "mod",
    ];

    /// True if a table's condition is false of no row of which it was not false before.
    pub(in super::super) fn holds(
        constraint: &CheckConstraint,
        relation: &Relation,
        assignments: &Assignments,
    ) -> bool {
        let Some(node) = parse(&constraint.expression) else { return false };
        let of = |column: &Column| {
            assignments.mask(ColumnId { relation: relation.oid, attnum: column.attnum })
        };
        let conditional: Vec<(&str, Operand)> = relation
            .live_columns()
            .filter(|column| constraint.columns.contains(&column.attnum))
            .filter_map(|column| {
                let assignment = of(column)?;
                let sometimes = assignment.nulling() == Nulling::Sometimes;
                sometimes.then(|| (column.name.as_str(), beside_null(column, assignment)))
            })
            .collect();
        every_case(&conditional, |case| {
            never_false(&node, &|name| {
                case.iter()
                    .find(|(column, _)| *column == name)
                    .map_or_else(|| Operand::of(relation, assignments, name), |(_, is)| *is)
            })
        })
    }

    /// The same of a domain's condition and one column of it.
    pub(in super::super) fn holds_of(
        expression: &str,
        column: &Column,
        assignment: &Assignment,
    ) -> bool {
        let Some(node) = parse(expression) else { return false };
        let holds = |value: Operand| never_false(&node, &|_| value);
        holds(Operand::Nulled)
            && (assignment.nulling() == Nulling::Always || holds(beside_null(column, assignment)))
    }

    /// What a column is in the rows in which it does not become NULL.
    fn beside_null(column: &Column, assignment: &Assignment) -> Operand {
        let otherwise = assignment.when.as_deref().map(|when| when.otherwise.mask);
        match (assignment.mask, otherwise) {
            (MaskName::Null, Some(MaskName::Keep)) => Operand::Kept,
            _ => Operand::masked(column),
        }
    }

    /// True if `holds` is, whichever of the columns are NULL.
    fn every_case(
        conditional: &[(&str, Operand)],
        holds: impl Fn(&[(&str, Operand)]) -> bool,
    ) -> bool {
        conditional.len() <= MOST_CONDITIONAL
            && (0..1u32 << conditional.len()).all(|case| {
                let columns = conditional.iter().enumerate().map(|(index, (name, is))| {
                    (*name, if case >> index & 1 == 1 { Operand::Nulled } else { *is })
                });
                holds(&columns.collect::<Vec<_>>())
            })
    }

    /// What a condition comes to, as far as that is known.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Outcome {
        Null,
        True,
        False,
        /// Null or true.
        NotFalse,
        /// What it was before.
        Same,
        Unknown,
    }

    type Operands<'o> = dyn Fn(&str) -> Operand + 'o;

    fn never_false(node: &Node, operand: &Operands<'_>) -> bool {
        match &node.node {
            // None of them was false, or the whole was.
            Some(NodeEnum::BoolExpr(junction)) if is(junction, BoolExprType::AndExpr) => {
                junction.args.iter().all(|node| never_false(node, operand))
            }
            _ => !matches!(outcome(Some(node), operand), Outcome::False | Outcome::Unknown),
        }
    }

    fn outcome(node: Option<&Node>, operand: &Operands<'_>) -> Outcome {
        if invariant(node, operand) {
            return Outcome::Same;
        }
        let Some(node) = node.and_then(|node| node.node.as_ref()) else { return Outcome::Unknown };
        match node {
            NodeEnum::ColumnRef(_) if column(node, operand) == Some(Operand::Nulled) => {
                Outcome::Null
            }
            NodeEnum::TypeCast(cast) => null_if_null(cast.arg.as_deref(), operand),
            NodeEnum::BoolExpr(junction) => of_junction(junction, operand),
            NodeEnum::NullTest(test) => match outcome(test.arg.as_deref(), operand) {
                Outcome::Null if test.nulltesttype == NullTestType::IsNull as i32 => Outcome::True,
                Outcome::Null => Outcome::False,
                _ => Outcome::Unknown,
            },
            NodeEnum::FuncCall(call) => {
                let is_strict =
                    name(&call.funcname).is_some_and(|name| STRICT_FUNCTIONS.contains(&name));
                let is_null = |node| outcome(Some(node), operand) == Outcome::Null;
                if is_strict && call.args.iter().any(is_null) {
                    Outcome::Null
                } else {
                    Outcome::Unknown
                }
            }
            NodeEnum::AExpr(expression) => of_operator(expression, operand),
            _ => Outcome::Unknown,
        }
    }

    fn null_if_null(node: Option<&Node>, operand: &Operands<'_>) -> Outcome {
        match outcome(node, operand) {
            Outcome::Null => Outcome::Null,
            _ => Outcome::Unknown,
        }
    }

    fn is(junction: &BoolExpr, kind: BoolExprType) -> bool {
        junction.boolop == kind as i32
    }

    fn of_junction(junction: &BoolExpr, operand: &Operands<'_>) -> Outcome {
        let arms: Vec<Outcome> =
            junction.args.iter().map(|node| outcome(Some(node), operand)).collect();
        let any = |wanted: &[Outcome]| arms.iter().any(|arm| wanted.contains(arm));
        let all = |wanted: &[Outcome]| arms.iter().all(|arm| wanted.contains(arm));
        use Outcome::{False, NotFalse, Null, Same, True, Unknown};
        if is(junction, BoolExprType::NotExpr) {
            return match arms.as_slice() {
                [Null] => Null,
                [True] => False,
                [False] => True,
                _ => Unknown,
            };
        }
        if is(junction, BoolExprType::AndExpr) {
            return match () {
                () if any(&[False]) => False,
                () if all(&[True]) => True,
                () if all(&[True, Null]) => Null,
                () if all(&[True, Null, NotFalse]) => NotFalse,
                () if all(&[True, Same]) => Same,
                () => Unknown,
            };
        }
        match () {
            () if any(&[True]) => True,
            () if all(&[False]) => False,
            () if all(&[False, Null]) => Null,
            () if any(&[Null, NotFalse]) => NotFalse,
            () => Unknown,
        }
    }

    fn of_operator(expression: &AExpr, operand: &Operands<'_>) -> Outcome {
        let left = expression.lexpr.as_deref().map(|node| outcome(Some(node), operand));
        let right = || outcome(expression.rexpr.as_deref(), operand);
        let is_strict = name(&expression.name).is_some_and(|name| STRICT_OPERATORS.contains(&name));
        let left_null = left == Some(Outcome::Null);
        let is_null = match AExprKind::try_from(expression.kind) {
            Ok(AExprKind::AexprOp | AExprKind::AexprLike | AExprKind::AexprIlike) => {
                is_strict && (left_null || right() == Outcome::Null)
            }
            Ok(AExprKind::AexprIn | AExprKind::AexprBetween | AExprKind::AexprNotBetween) => {
                left_null
            }
            // Of an empty array it would be true, or false.
            Ok(AExprKind::AexprOpAny | AExprKind::AexprOpAll) => {
                is_strict && left_null && has_elements(expression.rexpr.as_deref())
            }
            _ => false,
        };
        if is_null { Outcome::Null } else { Outcome::Unknown }
    }

    /// An array written out, or that cast to another type.
    fn has_elements(node: Option<&Node>) -> bool {
        match node.and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::TypeCast(cast)) => has_elements(cast.arg.as_deref()),
            Some(NodeEnum::AArrayExpr(array)) => !array.elements.is_empty(),
            _ => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// `n` becomes NULL, `m` is masked, `k` stays.
        fn holds(expression: &str) -> bool {
            let node = parse(expression).unwrap();
            never_false(&node, &|name| match name {
                "n" => Operand::Nulled,
                "m" => Operand::MaskedText,
                _ => Operand::Kept,
            })
        }

        #[test]
        fn conditions_that_are_null_or_true_of_null_hold() {
            for expression in [
                "n > 0",
                "((n)::text ~~ 'a%'::text)",
                "n = ANY (ARRAY['a'::text, 'b'::text])",
                "n IN ('a', 'b')",
                "n BETWEEN 1 AND k",
                "NOT (n > 0)",
                "n IS NULL",
                "(n IS NULL) OR (m > 'x')",
                "(n > 0) OR m = 'x'",
                "(n > 0) AND (k > 0) AND (length(m) > 2)",
                "length(lower(n)) > 3",
                "n > k + 1",
                "k > 0",
            ] {
                assert!(holds(expression), "{expression}");
            }
        }

        #[test]
        fn conditions_that_demand_a_value_do_not() {
            for expression in [
                "n IS NOT NULL",
                "NOT (n IS NULL)",
                "(n IS NOT NULL) OR (k > 0)",
                "(n IS NULL) = (k IS NULL)",
                "n IS NOT NULL AND k > 0",
                "COALESCE(n, 0) > 1",
                "n = ANY ('{}'::text[])",
                "n IS NOT DISTINCT FROM 'a'",
                "mine(n)",
                "(n > 0) IS TRUE",
                "n > 0 AND m > 'x'",
                "n || 'a' <> ''",
                "num_nonnulls(n, k) = 1",
            ] {
                assert!(!holds(expression), "{expression}");
            }
        }
    }
}
