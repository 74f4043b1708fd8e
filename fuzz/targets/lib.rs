//! What the targets that apply masks share.

use thinveil::datum::{Encoding, EnumLabels, ValueType};
use thinveil::mask::{Mask, MaskKey, MaskSpec, suited_masks};
use thinveil::rules::{MaskName, MaskOptions};

/// Masks of some types, which inputs choose from.
pub struct Masks(Vec<Mask>);

impl Masks {
    /// All masks of `types` that look at the value, in each of `encodings`.
    pub fn of(types: &[ValueType], encodings: &[Encoding]) -> Masks {
        let key = MaskKey::from_bytes([7; 32]);
        let mut masks = Vec::new();
        for &value_type in types {
            for &mask in suited_masks(value_type) {
                if mask == MaskName::Constant {
                    continue;
                }
                for &encoding in encodings {
                    let spec = MaskSpec {
                        mask,
                        domain: String::from("fuzz"),
                        value_type,
                        encoding,
                        options: MaskOptions::default(),
                        labels: labels(value_type),
                    };
                    masks.push(Mask::compile(&spec, &key).expect("a mask of a type it suits"));
                }
            }
        }
        Masks(masks)
    }

    /// Applies the mask that the first byte chooses to the rest. A value that was masked masks
    /// again: it is valid.
    pub fn apply(&self, data: &[u8]) {
        let Some((&chosen, value)) = data.split_first() else { return };
        let mask = &self.0[usize::from(chosen) % self.0.len()];
        let mut masked = value.to_vec();
        if mask.masker().apply(&mut masked).is_ok() {
            let mut again = value.to_vec();
            mask.masker().apply(&mut again).expect("what was masked once is masked again");
            assert!(masked == again, "a mask depends on more than its value");
            mask.masker().apply(&mut masked).expect("a masked value is a valid one");
        }
    }
}

fn labels(value_type: ValueType) -> EnumLabels {
    let count = if value_type == ValueType::Enum { 3 } else { 0 };
    EnumLabels((0..count).map(|oid| (0x6161_6161 + oid, format!("label {oid}"))).collect())
}

/// Makes a target of the masks of some types.
#[macro_export]
macro_rules! fuzz_masks {
    ($types:expr, $encodings:expr) => {
        use thinveil::datum::{Encoding, ValueType};

        static MASKS: std::sync::LazyLock<$crate::Masks> =
            std::sync::LazyLock::new(|| $crate::Masks::of(&$types, &$encodings));

        libfuzzer_sys::fuzz_target!(|data: &[u8]| MASKS.apply(data));
    };
}
