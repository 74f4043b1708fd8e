//! Parts of PostgreSQL's parse tree, taken apart.

use pg_query::protobuf::{AConst, Node, SelectStmt, TypeCast, a_const};
use pg_query::{NodeEnum, ParserOptions};

use super::literal::Literal;
use crate::datum::ValueType;
use crate::datum::condition::Comparison;

/// The tree of an expression that is one expression and nothing more.
pub(super) fn expression(text: &str) -> Result<Node, String> {
    let wrong = || "it is no SQL expression".to_owned();
    let mut select = statement(&format!("SELECT (\n{text}\n)")).ok_or_else(wrong)?;
    let targets = std::mem::take(&mut select.target_list);
    let mut plain = statement("SELECT 1").ok_or_else(wrong)?;
    plain.target_list.clear();
    let target = match <[Node; 1]>::try_from(targets).map(|[target]| target.node) {
        Ok(Some(NodeEnum::ResTarget(target))) if select == plain && target.name.is_empty() => {
            target
        }
        _ => return Err(wrong()),
    };
    target.val.map(|node| *node).ok_or_else(wrong)
}

fn statement(sql: &str) -> Option<SelectStmt> {
    let parsed = pg_query::parse(sql, ParserOptions::DEFAULT).ok()?;
    let [statement] = <[_; 1]>::try_from(parsed.protobuf.stmts).ok()?;
    match statement.stmt?.node? {
        NodeEnum::SelectStmt(select) => Some(*select),
        _ => None,
    }
}

pub(super) fn items(node: &Node) -> Result<&[Node], String> {
    match &node.node {
        Some(NodeEnum::List(list)) => Ok(&list.items),
        _ => Err("a list is wanted".to_owned()),
    }
}

pub(super) fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "=" => Comparison::Equal,
        "<>" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

pub(super) fn literal_of(constant: &AConst) -> Option<Literal> {
    if constant.isnull {
        return Some(Literal::Null);
    }
    Some(match constant.val.as_ref()? {
        a_const::Val::Ival(number) => Literal::Number(number.ival.to_string()),
        a_const::Val::Fval(number) => Literal::Number(number.fval.clone()),
        a_const::Val::Boolval(truth) => Literal::Bool(truth.boolval),
        a_const::Val::Sval(text) => Literal::String(text.sval.clone()),
        a_const::Val::Bsval(_) => return None,
    })
}

/// `DATE '2020-01-31'`, `'2020-01-31'::date`
pub(super) fn typed(cast: &TypeCast) -> Result<Literal, String> {
    let constant = match cast.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        Some(NodeEnum::AConst(constant)) => literal_of(constant),
        _ => None,
    };
    let name = cast
        .type_name
        .as_ref()
        .filter(|name| name.typmods.is_empty() && name.array_bounds.is_empty() && !name.setof);
    let parts: Vec<&str> = name
        .iter()
        .flat_map(|name| &name.names)
        .filter_map(|part| match &part.node {
            Some(NodeEnum::String(part)) => Some(part.sval.as_str()),
            _ => None,
        })
        .collect();
    let value_type = match parts.as_slice() {
        [name] | ["pg_catalog", name] => ValueType::from_typname(name),
        _ => None,
    };
    match (constant, value_type) {
        (Some(Literal::String(text)), Some(value_type)) => Ok(Literal::Typed(value_type, text)),
        (Some(Literal::Null), Some(_)) => Ok(Literal::Null),
        _ => {
            Err("a cast of something that is no constant in quotes, or to an unknown type"
                .to_owned())
        }
    }
}

pub(super) fn what_it_is(node: &NodeEnum) -> &'static str {
    match node {
        NodeEnum::FuncCall(_) => "a function call",
        NodeEnum::SqlvalueFunction(_) => "the current time or user",
        NodeEnum::SubLink(_) => "a subquery",
        NodeEnum::CaseExpr(_) => "CASE",
        NodeEnum::CoalesceExpr(_) => "COALESCE",
        NodeEnum::AArrayExpr(_) => "an array",
        NodeEnum::AIndirection(_) => "a part of a value",
        NodeEnum::RowExpr(_) => "a row",
        NodeEnum::AExpr(_) => "an operator within a comparison",
        NodeEnum::ParamRef(_) => "a parameter",
        NodeEnum::TypeCast(_) => "a cast",
        _ => "an expression of this kind",
    }
}
