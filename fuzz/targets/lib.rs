//! What the targets that apply masks share.

use thinveil::datum::{Encoding, EnumLabels, Layout, ValueType};
use thinveil::mask::{
    ColumnMask, FieldMask, Mask, MaskKey, MaskSpec, NoWitness, PathAction, PathMasks, PathTree,
    ScalarMask, suited_masks,
};
use thinveil::rules::{MaskName, MaskOptions};

/// Masks that inputs choose from.
pub struct Masks(Vec<ColumnMask<Mask>>);

impl Masks {
    /// Of any kind.
    pub fn new(masks: impl IntoIterator<Item = ColumnMask>) -> Masks {
        let key = MaskKey::from_bytes([7; 32]);
        let compiled = masks.into_iter().map(|mask| mask.compile(&key));
        Masks(compiled.collect::<Result<_, _>>().expect("masks suit their types"))
    }

    /// All masks of `types` that look at the value, in each of `encodings`.
    pub fn of(types: &[ValueType], encodings: &[Encoding]) -> Masks {
        let mut masks = Vec::new();
        for &value_type in types {
            for &mask in suited_masks(value_type).iter().filter(|&&it| it != MaskName::Constant) {
                for &encoding in encodings {
                    masks.push(ColumnMask::Value(MaskSpec { encoding, ..spec(mask, value_type) }));
                }
            }
        }
        Masks::new(masks)
    }

    /// Applies the mask that the first byte chooses to the rest. A value that was masked as a
    /// whole masks again: it is valid. Of the parts of others not all is looked at.
    pub fn apply(&self, data: &[u8]) {
        let Some((&chosen, value)) = data.split_first() else { return };
        let mask = &self.0[usize::from(chosen) % self.0.len()];
        let apply = |value: &mut Vec<u8>| mask.masker().apply(value, &mut NoWitness);
        let mut masked = value.to_vec();
        if apply(&mut masked).is_ok() {
            let mut again = value.to_vec();
            apply(&mut again).expect("what was masked once is masked again");
            assert!(masked == again, "a mask depends on more than its value");
            if matches!(mask, ColumnMask::Value(_)) {
                apply(&mut masked).expect("a masked value is a valid one");
            }
        }
    }
}

/// The options that a mask can't do without.
fn options(mask: MaskName, value_type: ValueType) -> MaskOptions {
    let none = MaskOptions::default();
    match (mask, value_type) {
        (MaskName::NationalId, _) => MaskOptions { country: Some("us".into()), ..none },
        (MaskName::Partial, _) => MaskOptions { keep_first: Some(1), ..none },
        (MaskName::Bucket, ValueType::Time | ValueType::TimeTz) => {
            MaskOptions { unit: Some("hour".into()), ..none }
        }
        (MaskName::Bucket, ValueType::Date | ValueType::Timestamp | ValueType::TimestampTz) => {
            MaskOptions { unit: Some("month".into()), ..none }
        }
        (MaskName::Bucket, _) => MaskOptions { size: Some(10.0), ..none },
        _ => none,
    }
}

/// A mask with no more options than it needs.
pub fn spec(mask: MaskName, value_type: ValueType) -> MaskSpec {
    MaskSpec {
        mask,
        domain: String::from("fuzz"),
        value_type,
        encoding: Encoding::default(),
        options: options(mask, value_type),
        labels: labels(value_type),
    }
}

/// Of texts.
pub fn text() -> ColumnMask {
    ColumnMask::Value(spec(MaskName::Text, ValueType::Text))
}

/// Paths of all kinds.
pub fn paths() -> PathMasks {
    let scalars = |text, number| {
        PathAction::Mask(ScalarMask {
            text: spec(text, ValueType::Text),
            number: spec(number, ValueType::Numeric),
            boolean: true,
        })
    };
    let paths = ["$.a", "$.b[*]", "$.*.c"].map(|path| path.parse().expect("a path"));
    PathMasks {
        tree: PathTree::new(&paths),
        actions: vec![
            PathAction::Keep,
            PathAction::Deny,
            scalars(MaskName::Email, MaskName::Redact),
        ],
        default: scalars(MaskName::Text, MaskName::Numeric),
    }
}

/// A composite of a few kinds of fields.
pub fn composite() -> ColumnMask {
    let field = |len, align, mask| FieldMask { layout: Layout { len, align }, mask };
    ColumnMask::Composite(vec![
        field(-1, 4, text()),
        field(4, 4, ColumnMask::Keep),
        field(8, 8, ColumnMask::Zero),
        field(-1, 4, array(-1, 4, text())),
    ])
}

/// An array.
pub fn array(len: i16, align: u8, element: ColumnMask) -> ColumnMask {
    ColumnMask::Array { layout: Layout { len, align }, element: Box::new(element) }
}

fn labels(value_type: ValueType) -> EnumLabels {
    let count = if value_type == ValueType::Enum { 3 } else { 0 };
    EnumLabels((0..count).map(|oid| (0x6161_6161 + oid, format!("label {oid}"))).collect())
}

/// Makes a target of masks.
#[macro_export]
macro_rules! fuzz_masks {
    ($masks:expr) => {
        static MASKS: std::sync::LazyLock<$crate::Masks> = std::sync::LazyLock::new(|| $masks);

        libfuzzer_sys::fuzz_target!(|data: &[u8]| MASKS.apply(data));
    };
}
