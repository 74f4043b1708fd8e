//! `inet`, `cidr`, `macaddr`, `macaddr8`; utils/inet.h.

use core::cmp::Ordering;
use core::net::IpAddr;

use super::DatumError;

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 3;

/// A stored `inet` or `cidr`, its parts apart.
pub(crate) struct Network<'a> {
    /// Bits of the netmask.
    pub(crate) bits: &'a mut u8,
    /// The address: 4 bytes, or 16.
    pub(crate) address: &'a mut [u8],
}

/// Takes a stored `inet` or `cidr` apart.
pub(crate) fn open(value: &mut [u8]) -> Result<Network<'_>, DatumError> {
    let [family, bits, address @ ..] = value else {
        return Err(DatumError("a network address is shorter than its header"));
    };
    let width = match *family {
        INET => 4,
        INET6 => 16,
        _ => return Err(DatumError("a network address is of an unknown family")),
    };
    if address.len() != width {
        return Err(DatumError("a network address is not as long as its family says"));
    }
    if usize::from(*bits) > 8 * width {
        return Err(DatumError("a netmask is longer than its address"));
    }
    Ok(Network { bits, address })
}

/// The bits of the byte at `at` that lie behind the first `bits` bits of an address.
pub(crate) fn behind(bits: usize, at: usize) -> u8 {
    let kept = bits.saturating_sub(8 * at).min(8);
    0xFFu8.unbounded_shr(kept as u32)
}

/// Zeroes what is behind the netmask, as `cidr` demands.
pub(crate) fn clear_host(bits: u8, address: &mut [u8]) {
    for (at, byte) in address.iter_mut().enumerate() {
        *byte &= !behind(usize::from(bits), at);
    }
}

/// Which of two stored addresses is greater; `network_cmp`.
pub(crate) fn compared(a: &[u8], b: &[u8]) -> Ordering {
    let ([family, bits, address @ ..], [other_family, other_bits, other @ ..]) = (a, b) else {
        return a.cmp(b);
    };
    let common = usize::from(*bits.min(other_bits));
    let network = |address: &[u8]| -> Vec<u8> {
        address.iter().enumerate().map(|(at, byte)| byte & !behind(common, at)).collect()
    };
    family
        .cmp(other_family)
        .then_with(|| network(address).cmp(&network(other)))
        .then_with(|| bits.cmp(other_bits))
        .then_with(|| address.cmp(other))
}

/// Reads `192.0.2.1`, `192.0.2.0/24` or the like of IPv6.
pub(crate) fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    (bits <= most).then_some((address, bits))
}

/// The bytes of an address.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The bytes of a MAC address as text: 12 or 16 hexadecimal digits, and nothing but separators
/// between them.
pub(crate) fn parse_mac(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::new();
    for &byte in text {
        match byte {
            b':' | b'-' | b'.' if !digits.is_empty() => {}
            _ => digits.push(char::from(byte).to_digit(16)? as u8),
        }
    }
    let ends_in_digit = text.last().is_some_and(u8::is_ascii_hexdigit);
    (matches!(digits.len(), 12 | 16) && ends_in_digit)
        .then(|| digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_both_families_apart() {
        let mut value = [2, 24, 192, 0, 2, 7];
        let network = open(&mut value).unwrap();
        clear_host(*network.bits, network.address);
        assert_eq!(value, [2, 24, 192, 0, 2, 0]);
        let mut value = [&[3, 20][..], &[0xFF; 16]].concat();
        let network = open(&mut value).unwrap();
        clear_host(*network.bits, network.address);
        assert_eq!(value[2..], [&[0xFF, 0xFF, 0xF0][..], &[0; 13]].concat());
    }

    #[test]
    fn rejects_garbage() {
        for mut value in [
            vec![],
            vec![2],
            vec![2, 24, 1, 2, 3],
            vec![2, 33, 1, 2, 3, 4],
            vec![3, 24, 1, 2, 3, 4],
            vec![4, 0, 1, 2, 3, 4],
            [vec![3, 129], vec![0; 16]].concat(),
        ] {
            assert!(open(&mut value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn reads_addresses_with_and_without_netmask() {
        let v4 = "192.0.2.0".parse().unwrap();
        assert_eq!(parse("192.0.2.0/24"), Some((v4, 24)));
        assert_eq!(parse("192.0.2.0"), Some((v4, 32)));
        assert_eq!(parse("::1"), Some(("::1".parse().unwrap(), 128)));
        for text in ["192.0.2", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+4", "::1%lo", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn reads_mac_addresses_in_every_form() {
        let six = Some(vec![8, 0, 0x2B, 1, 2, 3]);
        for text in ["08:00:2b:01:02:03", "08-00-2B-01-02-03", "0800.2b01.0203", "08002b010203"] {
            assert_eq!(parse_mac(text.as_bytes()), six, "{text}");
        }
        for text in ["", "08:00:2b:01:02", "08:00:2b:01:02:0g", ":08002b010203", "08002b010203-"] {
            assert_eq!(parse_mac(text.as_bytes()), None, "{text}");
        }
    }
}
