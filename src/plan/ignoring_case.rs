//! Unique indexes over `lower(…)` and `upper(…)`: texts that differ in case alone are equal to them.

use crate::cluster::catalog::Index;

/// True if all expressions of `index` are a column in small or in large letters, and `column` is
/// one of these columns.
#[cfg(feature = "sql")]
pub(super) fn is_over(index: &Index, column: &str) -> bool {
    let columns = parsed::columns(&index.definition).unwrap_or_default();
    index.exclusion_operators.is_none()
        && !index.nondeterministic_collation
        && columns.iter().any(|name| name == column)
}

/// Without PostgreSQL's parser nothing is known of an expression.
#[cfg(not(feature = "sql"))]
pub(super) fn is_over(_index: &Index, _column: &str) -> bool {
    false
}

#[cfg(feature = "sql")]
mod parsed {
    use pg_query::protobuf::Node;
    use pg_query::{NodeEnum, ParserOptions};

    use super::super::check_expression::{built_in, name};

    /// The columns that an index is over in one case; none where it has other expressions, too.
    pub(super) fn columns(definition: &str) -> Option<Vec<String>> {
        let parsed = pg_query::parse(definition, ParserOptions::DEFAULT).ok()?;
        let statement = parsed.protobuf.stmts.into_iter().next()?.stmt?.node?;
        let NodeEnum::IndexStmt(index) = statement else { return None };
        let keys = index.index_params.iter().filter_map(|key| match &key.node {
            Some(NodeEnum::IndexElem(key)) => key.expr.as_deref(),
            _ => None,
        });
        keys.map(in_one_case).collect()
    }

    fn in_one_case(expression: &Node) -> Option<String> {
        let Some(NodeEnum::FuncCall(call)) = &expression.node else { return None };
        let folds = matches!(built_in(&call.funcname), Some("lower" | "upper"));
        match call.args.as_slice() {
            [argument] if folds => column(argument),
            _ => None,
        }
    }

    /// A column, bare or cast to `text`.
    fn column(node: &Node) -> Option<String> {
        match node.node.as_ref()? {
            NodeEnum::TypeCast(cast) => {
                let to = cast.type_name.as_ref().and_then(|to| name(&to.names));
                cast.arg.as_deref().filter(|_| to == Some("text")).and_then(column)
            }
            NodeEnum::ColumnRef(reference) => name(&reference.fields).map(str::to_owned),
            _ => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn one_case_of_a_column_and_nothing_else() {
            let of = |keys: &str| {
                columns(&format!("CREATE UNIQUE INDEX i ON ONLY s.t USING btree ({keys})"))
            };
            let some = |names: &[&str]| Some(names.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(of("lower(email)"), some(&["email"]));
            assert_eq!(of("tenant, lower((\"E mail\")::text) DESC"), some(&["E mail"]));
            assert_eq!(of("upper(a), pg_catalog.lower(b)"), some(&["a", "b"]));
            assert_eq!(of("a, b"), some(&[]));
            for other in ["lower(a || b)", "public.lower(a)", "lower(a), md5(b)", "initcap(a)"] {
                assert_eq!(of(other), None, "{other}");
            }
        }
    }
}
