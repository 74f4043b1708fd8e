use super::*;
use crate::rules::MaskOptions;

#[test]
fn many_at_once_are_masked_like_one_by_one() {
    let spec = MaskSpec {
        mask: MaskName::FirstName,
        domain: "names".into(),
        value_type: ValueType::Text,
        encoding: Encoding::Utf8,
        labels: EnumLabels::default(),
        options: MaskOptions::default(),
    };
    let mask = Mask::compile(&spec, &MaskKey::from_bytes([3; 32])).unwrap();
    let names =
        ["Ann", "", "Bartholomew", "Ann", "Zo\u{eb}", "A name that no memo remembers, ever"];
    let mut bytes = names.concat().into_bytes();
    let mut end = 0;
    let ranges: Vec<Range<usize>> = names
        .iter()
        .map(|name| {
            let start = end;
            end += name.len();
            start..end
        })
        .collect();
    let mut seen = Vec::new();
    let mut masker = mask.masker();
    let mut original = |_: ValueType, value: &[u8]| seen.push(value.to_vec());
    masker.apply_all(&mut bytes, &ranges, Range::clone, &mut original).unwrap();
    for (name, range) in names.iter().zip(ranges) {
        let mut alone = name.as_bytes().to_vec();
        mask.masker().apply(&mut alone).unwrap();
        assert_eq!(bytes.get(range), Some(alone.as_slice()), "{name}");
        assert!(name.is_empty() || seen.contains(&name.as_bytes().to_vec()));
    }
}
