//! `ip` on text: an address gives way to one that is written in as many characters.
//!
//! Each number of the address is permuted among those with as many digits, as far as the kept
//! prefix leaves any. So an image is an address of the same form, and the form tells addresses from
//! other texts, which are permuted among themselves like `alphanumeric`.

use core::net::IpAddr;
use std::ops::Range;

use super::digits::{self, Scratch};
use super::ip::kept_bits;
use super::permutation::Permuter;
use super::prf::Prf;
use crate::datum::network;

/// One number of an address.
struct Number {
    /// Where its digits are, without leading zeros.
    place: Range<usize>,
    value: u32,
    /// The numbers that may stand there.
    allowed: Range<u32>,
    radix: u32,
}

/// An address as it is written.
struct Form {
    numbers: Vec<Number>,
    /// Its letters are large. (None of them is, or all.)
    upper: bool,
}

/// Masks an address, with a netmask or without; another text like `alphanumeric`.
pub(crate) fn mask(
    value: &mut [u8],
    keep_bits: u8,
    prf: &Prf,
    permuter: &mut Permuter,
    scratch: &mut Scratch,
    buffer: &mut Vec<u8>,
) {
    let Some(mut form) = Form::of(value, keep_bits) else {
        // Until it is again no address.
        digits::alphanumeric(value, prf, permuter, scratch, buffer);
        while Form::of(value, keep_bits).is_some() {
            digits::alphanumeric(value, prf, permuter, scratch, buffer);
        }
        return;
    };
    loop {
        form.permute(value, prf, permuter, scratch);
        // Without letters it could be the image of an address in small ones.
        if !form.upper || value.iter().any(u8::is_ascii_uppercase) {
            return;
        }
    }
}

impl Form {
    fn of(value: &[u8], keep_bits: u8) -> Option<Form> {
        let text = str::from_utf8(value).ok()?;
        let (address, _) = network::parse(text)?;
        let upper = value.iter().any(u8::is_ascii_uppercase);
        if upper && value.iter().any(u8::is_ascii_lowercase) {
            return None;
        }
        let end = text.find('/').unwrap_or(text.len());
        let text = text.get(..end)?;
        let mut form = Form { numbers: Vec::new(), upper };
        match address {
            IpAddr::V4(_) => form.v4(text, 0, 0, kept_bits(keep_bits, 32)),
            IpAddr::V6(_) => form.v6(text, kept_bits(keep_bits, 128)),
        }?;
        Some(form)
    }

    /// Four numbers with points between them, the first at bit `bit`.
    fn v4(&mut self, text: &str, mut at: usize, mut bit: usize, kept: usize) -> Option<()> {
        for octet in text.split('.') {
            let value = octet.parse().ok()?;
            let class = match octet.len() {
                1 => 0..10,
                2 => 10..100,
                _ => 100..256,
            };
            self.push(at..at + octet.len(), value, class, 10, bit..bit + 8, kept);
            at += octet.len() + 1;
            bit += 8;
        }
        Some(())
    }

    /// Groups with colons between them; `::` stands for as many zeros as are missing.
    fn v6(&mut self, text: &str, kept: usize) -> Option<()> {
        let head = text.find("::").unwrap_or(text.len());
        self.groups(text.get(..head)?, 0, 0, kept)?;
        let Some(tail) = text.get(head + 2..) else { return Some(()) };
        let widths = tail.split(':').filter(|group| !group.is_empty());
        let bits: usize = widths.map(|group| if group.contains('.') { 32 } else { 16 }).sum();
        self.groups(tail, head + 2, 128 - bits.min(128), kept)
    }

    fn groups(&mut self, text: &str, mut at: usize, mut bit: usize, kept: usize) -> Option<()> {
        for group in text.split(':').filter(|group| !group.is_empty()) {
            if group.contains('.') {
                self.v4(group, at, bit, kept)?;
            } else {
                let value = u32::from_str_radix(group, 16).ok()?;
                let digits = group.trim_start_matches('0').len();
                // A zero stays: it may stand for a group that is left out elsewhere.
                if digits > 0 {
                    let place = at + group.len() - digits..at + group.len();
                    let class = 1 << (4 * digits - 4)..1 << (4 * digits);
                    self.push(place, value, class, 16, bit..bit + 16, kept);
                }
            }
            at += group.len() + 1;
            bit += 16;
        }
        Some(())
    }

    fn push(
        &mut self,
        place: Range<usize>,
        value: u32,
        class: Range<u32>,
        radix: u32,
        bits: Range<usize>,
        kept: usize,
    ) {
        let free = bits.len() - kept.saturating_sub(bits.start).min(bits.len());
        let low = value >> free << free;
        let allowed = class.start.max(low)..class.end.min(low + (1 << free));
        self.numbers.push(Number { place, value, allowed, radix });
    }

    /// Permutes the numbers and writes them down.
    fn permute(
        &mut self,
        text: &mut [u8],
        prf: &Prf,
        permuter: &mut Permuter,
        scratch: &mut Scratch,
    ) {
        scratch.clear();
        scratch.tweak.push(u8::from(self.upper));
        let mut numbers = self.numbers.iter().peekable();
        for (at, &byte) in text.iter().enumerate() {
            while numbers.next_if(|number| number.place.end <= at).is_some() {}
            if numbers.peek().is_none_or(|number| !number.place.contains(&at)) {
                scratch.tweak.push(byte);
            }
        }
        for Number { value, allowed, .. } in &self.numbers {
            scratch.tweak.extend(allowed.start.to_le_bytes());
            scratch.tweak.extend(allowed.end.to_le_bytes());
            scratch.radices.push(allowed.end - allowed.start);
            scratch.row.push(value - allowed.start);
        }
        scratch.permute(permuter, prf);
        for (number, &digit) in self.numbers.iter_mut().zip(&scratch.row) {
            number.value = number.allowed.start + digit;
            let mut rest = number.value;
            for place in text.get_mut(number.place.clone()).unwrap_or_default().iter_mut().rev() {
                let digit =
                    char::from_digit(rest % number.radix, number.radix).unwrap_or('0') as u8;
                *place = if self.upper { digit.to_ascii_uppercase() } else { digit };
                rest /= number.radix;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::rules::MaskName;
    use std::collections::BTreeSet;

    fn masked(text: &str, keep_bits: u8) -> String {
        let prf = Prf::new(&MaskKey::from_bytes([1; 32]), MaskName::Ip, "test");
        let mut value = text.as_bytes().to_vec();
        let (permuter, scratch) = (&mut Permuter::new(), &mut Scratch::new());
        mask(&mut value, keep_bits, &prf, permuter, scratch, &mut Vec::new());
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn an_address_gives_way_to_one_of_the_same_form() {
        for text in [
            "10.0.0.1",
            "192.168.100.200/24",
            "2001:db8::8a2e:370:7334",
            "2001:0DB8:0000:0000:0000:8A2E:0370:7334",
            "::ffff:192.0.2.128",
            "fe80::1/64",
            "::",
            "1::",
        ] {
            for keep_bits in [0, 20, 32, 64] {
                let to = masked(text, keep_bits);
                assert_eq!(to.len(), text.len());
                let (from, bits) = network::parse(text).unwrap();
                let (address, netmask) = network::parse(&to).unwrap();
                assert_eq!(netmask, bits, "{text} {to}");
                assert_eq!(address.is_ipv4(), from.is_ipv4());
                let (from, address) = (network::octets(from), network::octets(address));
                let kept = kept_bits(keep_bits, 8 * from.len());
                for (at, (from, to)) in from.iter().zip(&address).enumerate() {
                    let prefix = !network::behind(kept, at);
                    assert_eq!(from & prefix, to & prefix, "{text} {to} keeps {keep_bits}");
                }
                let form = |text: &str| text.replace(|c: char| c.is_ascii_hexdigit(), "0");
                assert_eq!(form(&to), form(text));
            }
        }
        assert_ne!(masked("192.168.100.200", 24), "192.168.100.200");
    }

    #[test]
    fn texts_of_every_kind_keep_apart() {
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for at in 0..=255 {
            texts.insert(format!("1.2.{}.{at}", at % 7));
            texts.insert(format!("9.9.9.{}", 900 + at % 100));
            texts.insert(format!("a::{at:x}"));
            texts.insert(format!("A::{at:X}"));
            texts.insert(format!("a::{at:X}"));
        }
        let images: BTreeSet<String> = texts.iter().map(|text| masked(text, 8)).collect();
        assert_eq!(images.len(), texts.len());
    }

    #[test]
    fn another_text_never_becomes_an_address() {
        for at in 256..1000 {
            let to = masked(&format!("9.9.9.{at}"), 0);
            assert!(network::parse(&to).is_none(), "{to}");
        }
    }
}
