//! `ip`: addresses permuted among those of one family and prefix.

use super::digits::Scratch;
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::network::{self, Network, behind};
use crate::datum::{DatumError, ValueType};

/// Bits of an IPv4 address that are kept at most: those of a network of 256 addresses.
const MOST_KEPT_V4: usize = 24;

/// How many bits of an address of `width` bits are kept.
pub(super) fn kept_bits(keep_bits: u8, width: usize) -> usize {
    let most = if width == 32 { MOST_KEPT_V4 } else { width };
    usize::from(keep_bits).min(most)
}

/// Permutes the bits of an `inet` or `cidr` behind those that are kept; those of a `cidr` up to
/// its netmask, where it ends. The netmask stays.
pub(crate) fn mask(
    value: &mut [u8],
    value_type: ValueType,
    keep_bits: u8,
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
) -> Result<(), DatumError> {
    let Network { bits, address } = network::open(value)?;
    let kept = kept_bits(keep_bits, 8 * address.len());
    let end = match value_type {
        ValueType::Cidr => usize::from(*bits),
        _ => 8 * address.len(),
    };
    let free = |at| behind(kept, at) & !behind(end, at);
    scratch.clear();
    for (at, &byte) in address.iter().enumerate() {
        let free = free(at);
        let radix = 1 << free.count_ones();
        let digit = (byte & free).unbounded_shr(free.trailing_zeros());
        scratch.push(byte & !free & !behind(end, at), radix, digit.into());
    }
    scratch.tweak.extend([kept as u8, end as u8]);
    scratch.permute(permuter, prf);
    let drawn = address.iter_mut().zip(&scratch.tweak).zip(&scratch.row).enumerate();
    for (at, ((byte, &kept), &digit)) in drawn {
        *byte = kept | (digit as u8).unbounded_shl(free(at).trailing_zeros());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    fn masked(value_type: ValueType, keep_bits: u8, value: &[u8]) -> Vec<u8> {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Ip, "test");
        let mut value = value.to_vec();
        let (permuter, scratch) = (&mut Permuter::new(), &mut Scratch::new());
        mask(&mut value, value_type, keep_bits, &prf, permuter, scratch).unwrap();
        value
    }

    #[test]
    fn every_address_of_a_network_has_its_own_image_there() {
        let mut seen = BTreeSet::new();
        for host in 0..4096u16 {
            let [high, low] = host.to_be_bytes();
            let to = masked(ValueType::Inet, 20, &[2, 32, 10, 1, 0x50 | high, low]);
            assert_eq!((&to[..4], to[4] & 0xF0), (&[2, 32, 10, 1][..], 0x50));
            assert!(seen.insert(to));
        }
    }

    #[test]
    fn a_cidr_has_no_host_bits() {
        for bits in 0..=32 {
            let mut from = [2, bits, 0xFF, 0xFF, 0xFF, 0xFF];
            network::clear_host(bits, &mut from[2..]);
            let to = masked(ValueType::Cidr, 8, &from);
            let mut cleared = to.clone();
            network::clear_host(bits, &mut cleared[2..]);
            assert_eq!(to, cleared);
            assert_eq!(to[..2], from[..2]);
            assert_eq!(to[2], from[2]);
        }
    }

    #[test]
    fn a_netmask_stays_and_does_not_matter_to_an_inet() {
        let from = [&[3, 64][..], &[0x20, 1, 0x0D, 0xB8], &[7; 12]].concat();
        let to = masked(ValueType::Inet, 32, &from);
        assert_eq!(to[..6], from[..6]);
        assert_ne!(to, from);
        let whole = [&[3, 128][..], &from[2..]].concat();
        assert_eq!(masked(ValueType::Inet, 32, &whole)[2..], to[2..]);
    }

    #[test]
    fn an_address_is_never_kept_whole() {
        let from = [2, 32, 192, 0, 2, 7];
        let to = masked(ValueType::Inet, 120, &from);
        assert_eq!(to[..5], from[..5]);
        assert_ne!(to, from);
    }
}
