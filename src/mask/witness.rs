//! Who is shown values while they are masked.

use crate::datum::ValueType;

/// Is shown every value that a mask takes and makes, but not those that it saw a moment ago.
pub trait Witness {
    /// A value before it is masked, as stored.
    fn original(&mut self, value_type: ValueType, value: &[u8]);

    /// What a mask made of a value.
    fn output(&mut self, value_type: ValueType, value: &[u8]) {
        let _ = (value_type, value);
    }
}

/// Looks at originals alone.
impl<F: FnMut(ValueType, &[u8])> Witness for F {
    fn original(&mut self, value_type: ValueType, value: &[u8]) {
        self(value_type, value);
    }
}

/// Looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWitness;

impl Witness for NoWitness {
    fn original(&mut self, _: ValueType, _: &[u8]) {}
}
