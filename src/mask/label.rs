//! `enum`: the labels of one type permuted.

use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::{DatumError, EnumLabels, integer};

/// Replaces a label by another. The permutation is of places in the sort order, so that types with
/// as many labels agree within a domain.
pub(crate) fn permute(
    value: &mut [u8],
    labels: &EnumLabels,
    prf: &Prf,
    permuter: &mut Permuter,
) -> Result<(), DatumError> {
    let unknown = DatumError("an enum value is no label of its type");
    let (oid, _) = integer::read_unsigned(value)?;
    let position = u32::try_from(oid).ok().and_then(|oid| labels.position(oid)).ok_or(unknown)?;
    let count = labels.count() as u64;
    let to = permuter.permute_number(prf, &[], count, position as u64);
    let to = labels.oid(to as usize).filter(|_| value.len() == 4).ok_or(unknown)?;
    integer::write(value, to.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    #[test]
    fn labels_are_permuted_and_others_refused() {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Enum, "test");
        let labels = EnumLabels((0..9).map(|n| (40_000 - 7 * n, n.to_string())).collect());
        let mut permuter = Permuter::new();
        let mut masked = |oid: u32| {
            let mut value = oid.to_le_bytes();
            permute(&mut value, &labels, &prf, &mut permuter).map(|()| u32::from_le_bytes(value))
        };
        let all: BTreeSet<u32> = labels.0.iter().map(|&(oid, _)| oid).collect();
        let images: BTreeSet<u32> = all.iter().map(|&oid| masked(oid).unwrap()).collect();
        assert_eq!(images, all);
        assert!(all.iter().all(|&oid| masked(oid) != Ok(oid)));
        assert!(masked(39_999).is_err());
    }
}
