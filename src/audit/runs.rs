//! Where texts in other forms may begin, found for 64 positions at a time: a bit for each says what
//! its byte is, and shifts of all bits say how many of a kind follow. Without a branch for each.

/// Positions looked at together.
const GROUP: usize = u64::BITS as usize;

/// 64 positions, by the bytes there and in the 64 behind them.
pub(super) struct Group {
    at: usize,
    digits: u128,
    zero: u128,
    wide: u128,
}

/// What the bytes of a group are: a bit for each.
#[derive(Clone, Copy, Default)]
struct Kinds {
    /// Digits of base64; hexadecimal ones are among them.
    digits: u64,
    zero: u64,
    /// High bytes of UTF-16 other than zero, in scripts that are written with letters, and of
    /// surrogates.
    wide: u64,
}

impl Kinds {
    #[inline]
    fn of(group: &[u8; GROUP]) -> Kinds {
        Kinds {
            digits: bits(group, is_digit),
            zero: bits(group, |byte| byte == 0),
            wide: bits(group, |byte| byte.wrapping_sub(1) < 0x2F || byte & 0xF8 == 0xD8),
        }
    }
}

/// All groups of some bytes.
pub(super) struct Groups<'a> {
    bytes: &'a [u8],
    at: usize,
    this: Kinds,
}

impl<'a> Groups<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Groups<'a> {
        Groups { bytes, at: 0, this: kinds_at(bytes, 0) }
    }
}

impl Iterator for Groups<'_> {
    type Item = Group;

    #[inline]
    fn next(&mut self) -> Option<Group> {
        let at = self.at;
        if at >= self.bytes.len() {
            return None;
        }
        self.at += GROUP;
        let next = kinds_at(self.bytes, self.at);
        let this = std::mem::replace(&mut self.this, next);
        let both = |this: u64, next: u64| u128::from(next) << GROUP | u128::from(this);
        Some(Group {
            at,
            digits: both(this.digits, next.digits),
            zero: both(this.zero, next.zero),
            wide: both(this.wide, next.wide),
        })
    }
}

/// What is behind the end is no text.
#[inline]
fn kinds_at(bytes: &[u8], at: usize) -> Kinds {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(group) = rest.first_chunk() {
        return Kinds::of(group);
    }
    let mut last = [0; GROUP];
    if let Some(room) = last.get_mut(..rest.len()) {
        room.copy_from_slice(rest);
    }
    Kinds::of(&last)
}

impl Group {
    /// Where twelve digits of base64 or more begin to follow each other, in this group or before it.
    pub(super) fn twelve_digits(&self) -> impl Iterator<Item = usize> {
        let two = self.digits & self.digits >> 1;
        let four = two & two >> 2;
        let twelve = (four & four >> 4 & four >> 8) as u64;
        positions(self.at, twelve & !(twelve << 1))
    }

    /// How many digits of base64 there are from a position of this group on, as far as is known.
    pub(super) fn digits_from(&self, position: usize) -> usize {
        (self.digits >> (position - self.at)).trailing_ones() as usize
    }

    /// Positions at which six units of UTF-16 may follow each other: low bytes first, and high bytes
    /// first.
    pub(super) fn six_units(&self) -> [(bool, impl Iterator<Item = usize>); 2] {
        // Nearly nowhere are there six high bytes.
        let high = six(self.wide | self.zero) << (GROUP - 1) >> (GROUP - 1) != 0;
        // A zero beside a zero is no character.
        let low_first = || self.wide >> 1 | (self.zero >> 1 & !self.zero);
        let high_first = || self.wide | (self.zero & !(self.zero >> 1));
        let low_first = if high { six(low_first()) as u64 } else { 0 };
        let high_first = if high { six(high_first()) as u64 } else { 0 };
        [(false, positions(self.at, low_first)), (true, positions(self.at, high_first))]
    }
}

/// The bits that six of every second one follow from, themselves among them.
#[inline]
fn six(bits: u128) -> u128 {
    let two = bits & bits >> 2;
    two & two >> 4 & two >> 8
}

/// The positions of bits that are set.
fn positions(at: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = (bits != 0).then(|| at + bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(first)
    })
}

#[inline]
fn bits(group: &[u8; GROUP], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0u8; GROUP];
    for (flag, byte) in flags.iter_mut().zip(group) {
        *flag = u8::from(is(*byte));
    }
    flags.as_chunks().0.iter().rev().fold(0, |all, eight| {
        // Moves the flag of each byte to its own bit of the highest byte.
        let packed = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        all << 8 | packed
    })
}

/// True for the digits of base64, with either alphabet.
#[inline]
pub(super) fn is_digit(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let number = byte.wrapping_sub(b'0') < 10;
    letter | number | (byte == b'+') | (byte == b'/') | (byte == b'-') | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_run_of_twelve_digits_is_found(bytes in proptest::collection::vec(
            prop_oneof![8 => proptest::sample::select(&b"aZ09+/-_"[..]), 1 => any::<u8>()], 0..400)
        ) {
            let is = |at: usize| {
                let run = bytes.get(at..at + 12);
                run.is_some_and(|run| run.iter().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(b)))
            };
            for group in Groups::of(&bytes) {
                let found: Vec<usize> = group.twelve_digits().collect();
                for at in group.at..group.at + GROUP {
                    let begins = is(at) && (at == group.at || !is(at - 1));
                    prop_assert_eq!(found.contains(&at), begins);
                    if is(at) {
                        prop_assert!(group.digits_from(at) >= 12);
                    }
                }
            }
        }

        #[test]
        fn every_run_of_six_units_is_found(bytes in proptest::collection::vec(
            prop_oneof![2 => Just(0), 3 => any::<u8>(), 2 => 0x20..0x30u8], 0..400)
        ) {
            for group in Groups::of(&bytes) {
                for (big_endian, found) in group.six_units() {
                    let found: Vec<usize> = found.collect();
                    let unit = |[a, b]: &[u8; 2]| {
                        let (high, low) = if big_endian { (a, b) } else { (b, a) };
                        matches!(high, 1..0x30 | 0xD8..0xE0) || (*high == 0 && *low != 0)
                    };
                    let is = |at: usize| {
                        bytes.get(at..at + 12).is_some_and(|run| run.as_chunks().0.iter().all(unit))
                    };
                    // One that the end cuts off may be among them.
                    for at in (group.at..group.at + GROUP).take_while(|at| at + 12 <= bytes.len()) {
                        prop_assert_eq!(found.contains(&at), is(at), "{}", at);
                    }
                }
            }
        }
    }
}
