//! Ids and names of what a pool holds.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// Crockford's: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `s-` and ten characters: six of the time in seconds, four random. Ids sort by age.
pub(super) fn fresh(kind: &str) -> String {
    // 2024-01-01; thirty bits of seconds last until 2058, and wrap harmlessly.
    const EPOCH: u64 = 1_704_067_200;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut random = [0; 4];
    // Without the system's random numbers, uniqueness rests on `mkdir` failing.
    let _ = getrandom::fill(&mut random);
    let seconds = now.saturating_sub(EPOCH) & 0x3FFF_FFFF;
    let bits = seconds << 20 | u64::from(u32::from_le_bytes(random) & 0xF_FFFF);
    let letters: String = (0..10)
        .rev()
        .filter_map(|place| ALPHABET.get((bits >> (place * 5) & 31) as usize))
        .map(|&letter| char::from(letter))
        .collect();
    format!("{kind}-{letters}")
}

/// True for what [`fresh`] makes of this kind.
#[cfg(feature = "archive")]
pub(super) fn is_id(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-')).is_some_and(|letters| {
        letters.len() == 10 && letters.bytes().all(|letter| ALPHABET.contains(&letter))
    })
}

/// Names are lower-case words for people and file names: `[a-z0-9][a-z0-9_.-]{0,62}`.
pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || matches!(byte, b'_' | b'.' | b'-'))
        && name.len() <= 63;
    if good {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "{name:?} can't be the name of a {what}: use up to 63 of a-z 0-9 _ . - and begin with a \
             letter or digit"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_differ() {
        let ids: std::collections::HashSet<String> = (0..100).map(|_| fresh("s")).collect();
        assert!(ids.len() > 95);
        assert!(ids.iter().all(|id| id.len() == 12 && check_name("snapshot", id).is_ok()));
    }

    #[test]
    fn names_that_are_paths_or_options_are_refused() {
        for bad in ["", "../x", "-x", ".x", "A", "a b", "a/b", &"a".repeat(64)] {
            assert!(check_name("clone", bad).is_err(), "{bad}");
        }
        assert!(check_name("clone", "dev-1.2_x").is_ok());
    }
}
