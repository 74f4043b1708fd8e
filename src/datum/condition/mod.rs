//! Conditions on the columns of one row, with SQL's three truth values.
//!
//! What a rule file says is turned into a [`Condition`] by the planner; what can't be evaluated as
//! PostgreSQL would never becomes one.

mod like;
mod value;

use serde::{Deserialize, Serialize};

pub use self::like::Pattern;
pub use self::value::{Class, Number, Value};
use super::DatumError;

/// True, false, or neither, as SQL has it.
pub type Truth = Option<bool>;

/// A condition. Columns are numbers that whoever made it knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// The same for every row.
    Constant(Truth),
    /// `c IS NULL`
    IsNull(usize),
    /// `… IS TRUE`, `… IS FALSE`, `… IS UNKNOWN`
    Is(Box<Condition>, Truth),
    /// `NOT …`
    Not(Box<Condition>),
    /// `… AND …`
    And(Vec<Condition>),
    /// `… OR …`
    Or(Vec<Condition>),
    /// `c < …`: null if either side is.
    Compare(usize, Comparison, Operand),
    /// `c LIKE '…'`
    Like(usize, Pattern),
}

/// What a column is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operand {
    /// Another column of the row.
    Column(usize),
    /// A value of the rule file's.
    Value(Value),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The operator for the two sides in the other order.
    pub fn mirrored(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }

    /// True if it asks for more than whether two values are equal.
    pub fn is_about_order(self) -> bool {
        !matches!(self, Comparison::Equal | Comparison::NotEqual)
    }

    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// One row, as a condition sees it.
pub trait Row {
    /// True if a column's value is null.
    fn is_null(&self, column: usize) -> bool;

    /// A column's value; `None` for null. An error where it can't be read in the row.
    fn value(&self, column: usize) -> Result<Option<Value>, DatumError>;
}

impl Condition {
    /// What the condition comes to. An error only if that depends on a value that can't be read.
    pub fn evaluate(&self, row: &impl Row) -> Result<Truth, DatumError> {
        Ok(match self {
            Condition::Constant(truth) => *truth,
            Condition::IsNull(column) => Some(row.is_null(*column)),
            Condition::Is(condition, truth) => Some(condition.evaluate(row)? == *truth),
            Condition::Not(condition) => condition.evaluate(row)?.map(|truth| !truth),
            Condition::And(conditions) => junction(conditions, row, false)?,
            Condition::Or(conditions) => junction(conditions, row, true)?,
            Condition::Compare(column, comparison, operand) => {
                let Some(left) = row.value(*column)? else { return Ok(None) };
                let order = match operand {
                    Operand::Value(right) => left.order(right)?,
                    Operand::Column(column) => match row.value(*column)? {
                        Some(right) => left.order(&right)?,
                        None => return Ok(None),
                    },
                };
                Some(comparison.holds(order))
            }
            Condition::Like(column, pattern) => match row.value(*column)? {
                Some(Value::Text(text)) => Some(pattern.matches(&text)),
                Some(_) => return Err(DatumError("LIKE is for text")),
                None => None,
            },
        })
    }
}

/// AND (decided by one that is false) or OR (by one that is true).
fn junction(conditions: &[Condition], row: &impl Row, decisive: bool) -> Result<Truth, DatumError> {
    let (mut unknown, mut failed) = (false, None);
    for condition in conditions {
        match condition.evaluate(row) {
            Ok(Some(truth)) if truth == decisive => return Ok(Some(decisive)),
            Ok(Some(_)) => {}
            Ok(None) => unknown = true,
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok((!unknown).then_some(!decisive)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: true, false, null, and one that can't be read.
    struct Sample;

    impl Row for Sample {
        fn is_null(&self, column: usize) -> bool {
            column == 2
        }

        fn value(&self, column: usize) -> Result<Option<Value>, DatumError> {
            match column {
                0 => Ok(Some(Value::Bool(true))),
                1 => Ok(Some(Value::Bool(false))),
                2 => Ok(None),
                _ => Err(DatumError("out of reach")),
            }
        }
    }

    fn column(number: usize) -> Condition {
        Condition::Compare(number, Comparison::Equal, Operand::Value(Value::Bool(true)))
    }

    #[test]
    fn truth_is_sqls() {
        let columns = [Some(true), Some(false), None];
        for (left, a) in columns.into_iter().enumerate() {
            let not = Condition::Not(Box::new(column(left))).evaluate(&Sample);
            assert_eq!(not, Ok(a.map(|truth| !truth)));
            for (right, b) in columns.into_iter().enumerate() {
                let both = vec![column(left), column(right)];
                let and = match (a, b) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                let or = match (a, b) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
                assert_eq!(Condition::And(both.clone()).evaluate(&Sample), Ok(and));
                assert_eq!(Condition::Or(both).evaluate(&Sample), Ok(or));
            }
            for truth in columns {
                let is = Condition::Is(Box::new(column(left)), truth).evaluate(&Sample);
                assert_eq!(is, Ok(Some(a == truth)));
            }
        }
        assert_eq!(Condition::IsNull(2).evaluate(&Sample), Ok(Some(true)));
        assert_eq!(Condition::IsNull(3).evaluate(&Sample), Ok(Some(false)));
    }

    #[test]
    fn what_can_not_be_read_is_an_error_only_if_it_matters() {
        let and = |other| Condition::And(vec![column(3), column(other)]).evaluate(&Sample);
        assert_eq!(and(1), Ok(Some(false)));
        assert!(and(0).is_err() && and(2).is_err());
        let or = |other| Condition::Or(vec![column(3), column(other)]).evaluate(&Sample);
        assert_eq!(or(0), Ok(Some(true)));
        assert!(or(1).is_err() && or(2).is_err());
    }
}
