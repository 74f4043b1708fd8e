//! Hexadecimal digits and those of base64: what they stand for, and whether a value may begin in a
//! run of them.

use crate::fingerprint::Beginnings;

pub(super) static HEX: Digits = Digits::of([b"0123456789abcdef", b"0123456789ABCDEF"]);
/// Both alphabets: the standard one, and that for addresses and file names.
pub(super) static BASE64: Digits = Digits::of([
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
]);

/// What bytes stand for as digits.
pub(super) struct Digits([u8; 256]);

/// What a byte stands for that is no digit.
const NONE: u8 = 0xFF;

impl Digits {
    #[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
    const fn of(alphabets: [&[u8]; 2]) -> Digits {
        let mut values = [NONE; 256];
        let [mut one, mut other] = alphabets;
        let mut value = 0;
        while let ([first, behind @ ..], [second, rest @ ..]) = (one, other) {
            values[*first as usize] = value;
            values[*second as usize] = value;
            (one, other) = (behind, rest);
            value += 1;
        }
        Digits(values)
    }

    /// What a digit stands for.
    #[inline]
    pub(super) fn value(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or(NONE)
    }

    #[inline]
    pub(super) fn is(&self, byte: u8) -> bool {
        self.value(byte) != NONE
    }
}

/// Whether a value may begin somewhere in digits: runs in which none does need not be decoded.
pub(super) struct InDigits<'a> {
    beginnings: &'a Beginnings,
    /// By three digits of base64, a bit each: whether the two bytes that a value begins with may
    /// begin at the first, third or fifth of their bits.
    three: [u64; 1 << 12],
}

impl<'a> InDigits<'a> {
    pub(super) fn new(beginnings: &'a Beginnings) -> InDigits<'a> {
        let pair = |bits: usize| beginnings.may_have_pair((bits as u16).to_be_bytes());
        let may_begin = |three: usize| {
            pair(three >> 2) || pair(three) || (0..4).any(|rest| pair(three << 2 | rest))
        };
        let word = |word: usize| {
            (0..64).fold(0, |all, bit| all | u64::from(may_begin(word << 6 | bit)) << bit)
        };
        InDigits { beginnings, three: std::array::from_fn(word) }
    }

    /// Whether one may begin in hexadecimal digits.
    pub(super) fn hex(&self, run: &[u8]) -> bool {
        let (first, others) = run.split_at_checked(7).unwrap_or_default();
        let with = |last: u32, digit: &u8| last << 4 | u32::from(HEX.value(*digit));
        let mut last = first.iter().fold(0, with);
        for digit in others {
            last = with(last, digit);
            let [a, b, ..] = last.to_be_bytes();
            if self.beginnings.may_have_pair([a, b]) && self.beginnings.may_have(last.to_be_bytes())
            {
                return true;
            }
        }
        false
    }

    /// Whether one may begin in base64: every second bit may be where a byte begins.
    pub(super) fn base64(&self, run: &[u8]) -> bool {
        let (first, others) = run.split_at_checked(5).unwrap_or_default();
        let with = |last: u64, digit: &u8| last << 6 | u64::from(BASE64.value(*digit));
        let mut last = first.iter().fold(0, with);
        for digit in others {
            last = with(last, digit);
            let word = self.three.get((last >> 24) as usize % self.three.len());
            let may_begin = word.is_some_and(|word| word >> (last >> 18 & 63) & 1 != 0);
            let begins = |bits| self.beginnings.may_have(((last >> bits) as u32).to_be_bytes());
            if may_begin && [0, 2, 4].into_iter().any(begins) {
                return true;
            }
        }
        false
    }
}

/// Runs of hexadecimal digits, so long at least, and where they begin. A run of `LEN` has one digit
/// at a place that is divided by `LEN`: what is around those is looked at.
pub(super) fn hex_runs<const LEN: usize>(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut end = 0;
    (LEN - 1..bytes.len()).step_by(LEN).filter_map(move |at| {
        let (before, behind) = bytes.split_at_checked(at)?;
        let len = behind.iter().take_while(|byte| HEX.is(**byte)).count();
        if at < end || len == 0 {
            return None;
        }
        let before = before.iter().rev().take_while(|byte| HEX.is(**byte)).count();
        end = at + len;
        let run = bytes.get(at - before..end).filter(|run| run.len() >= LEN)?;
        Some((at - before, run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_of_hex_are_found_wherever_they_begin() {
        for start in 0..20 {
            for len in 0..40 {
                let text =
                    ["x".repeat(start), "0f".repeat(20)[..len].to_owned(), "x".repeat(9)].concat();
                let found: Vec<_> = hex_runs::<16>(text.as_bytes()).collect();
                let expected = (start, text.as_bytes()[start..start + len].as_ref());
                assert_eq!(found, Vec::from_iter((len >= 16).then_some(expected)), "{text}");
            }
        }
        assert_eq!(hex_runs::<4>(b"abcdxabcdefgx1234").count(), 3);
    }

    #[test]
    fn digits_stand_for_their_number() {
        for (digit, value) in [(b'0', 0), (b'9', 9), (b'a', 10), (b'F', 15)] {
            assert_eq!(HEX.value(digit), value);
        }
        for (digit, value) in
            [(b'A', 0), (b'z', 51), (b'9', 61), (b'+', 62), (b'-', 62), (b'_', 63)]
        {
            assert_eq!(BASE64.value(digit), value);
        }
        assert!(!HEX.is(b'g') && !BASE64.is(b'=') && !BASE64.is(b'.'));
        let is = |byte: &u8| super::super::runs::is_digit(*byte) == BASE64.is(*byte);
        assert!((0..=u8::MAX).collect::<Vec<u8>>().iter().all(is));
    }
}
