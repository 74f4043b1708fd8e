//! Why an array was not masked.

use std::fmt;

use arrow_schema::ArrowError;

use crate::datum::DatumError;

/// The result of masking arrays.
pub type Result<T, E = MaskError> = std::result::Result<T, E>;

/// Why an array was not masked, and where: column and number of the value, never the value.
#[derive(Debug)]
pub struct MaskError {
    /// The column, where a batch was to be masked.
    pub column: Option<String>,
    /// The number of the value in its array, from 0.
    pub value: Option<usize>,
    /// What is wrong there.
    pub cause: Cause,
}

/// What was wrong with an array or a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The mask is not for arrays of this type.
    #[error("{0}")]
    Type(String),
    /// The array breaks Arrow's rules: it came from elsewhere.
    #[error("not a valid Arrow array: {0}")]
    Malformed(ArrowError),
    /// No value of the type, or one that has no masked value.
    #[error(transparent)]
    Value(DatumError),
    /// What a host's own mask said, or what is wrong with its output.
    #[error(transparent)]
    Custom(DatumError),
}

impl MaskError {
    pub(super) fn value(what: &'static str) -> MaskError {
        Cause::Value(DatumError(what)).into()
    }

    pub(super) fn at_value(mut self, number: usize) -> MaskError {
        self.value = Some(number);
        self
    }

    pub(super) fn in_column(mut self, name: &str) -> MaskError {
        self.column = Some(name.to_owned());
        self
    }
}

impl From<Cause> for MaskError {
    fn from(cause: Cause) -> MaskError {
        MaskError { column: None, value: None, cause }
    }
}

impl From<ArrowError> for MaskError {
    fn from(error: ArrowError) -> MaskError {
        Cause::Malformed(error).into()
    }
}

impl From<MaskError> for ArrowError {
    fn from(error: MaskError) -> ArrowError {
        ArrowError::ComputeError(error.to_string())
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(column) = &self.column {
            write!(f, "column {column}: ")?;
        }
        if let Some(number) = self.value {
            write!(f, "value {number}: ")?;
        }
        self.cause.fmt(f)
    }
}

impl std::error::Error for MaskError {}
