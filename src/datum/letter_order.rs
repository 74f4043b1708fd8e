//! Letters for the beginnings of texts that have to be in order.
//!
//! Collations differ in what they make of case, accents and signs, and in which groups of letters
//! they take for one. On these small letters, an `o` behind them, nearly all agree; whether a
//! certain one does, its server is asked: [`every_beginning`].

/// A beginning's first letter, in order.
const FIRST: &[u8; 10] = b"bdgkmprstv";
/// The others, in order.
const LATER: &[u8; 2] = b"mv";
/// What stands behind them, lest what follows makes another letter of the last.
const BEHIND: u8 = b'o';
/// Letters a beginning has at most: enough for 40,960 texts.
const MOST: u32 = 13;

/// How many letters tell `count` texts apart; `None` if there are too many.
fn width(count: usize) -> Option<u32> {
    (1..=MOST).find(|width| count <= FIRST.len() << (width - 1))
}

/// The beginning of a text that is number `rank` of `count` different ones, spread over the
/// alphabet.
fn letters(rank: usize, count: usize) -> Option<Vec<u8>> {
    let width = width(count)?;
    let place = rank * (FIRST.len() << (width - 1)) / count.max(1);
    let later = (0..width - 1).rev().filter_map(|bit| LATER.get(place >> bit & 1));
    Some(FIRST.get(place >> (width - 1)).into_iter().chain(later).copied().collect())
}

/// Gives a text the beginning of number `rank` of `count` different ones, and says where that ends.
/// `boundary` tells where the first character ends that goes up to a position or beyond it. `None`
/// if the text is too short, or there are too many.
pub(crate) fn begin(
    text: &mut [u8],
    rank: usize,
    count: usize,
    boundary: impl FnOnce(&[u8], usize) -> usize,
) -> Option<usize> {
    let letters = letters(rank, count)?;
    let wanted = text.len().min(letters.len() + 1);
    let end = boundary(text, wanted);
    text.get_mut(..letters.len())?.copy_from_slice(&letters);
    text.get_mut(letters.len()..end)?.fill(BEHIND);
    Some(end)
}

/// Beginnings as texts may have them, with their ranks: of two with different ranks, the one with
/// the higher is greater in a collation that agrees.
pub(crate) fn every_beginning() -> impl Iterator<Item = (usize, String)> {
    let counts = (1..=3).map(|width| FIRST.len() << (width - 1));
    // Ranks of one width don't meet those of another.
    let all = counts.scan(0, |before, count| {
        let first = *before;
        *before += 1000;
        Some((0..count).filter_map(move |rank| {
            let letters = String::from_utf8(letters(rank, count)?).ok()?;
            Some((first + rank, letters))
        }))
    });
    let behind = char::from(BEHIND);
    all.flatten().flat_map(move |(rank, letters)| {
        let more = ["h", "oooo", "zz z", "", "0"].map(|end| format!("{letters}{behind}{end}"));
        more.into_iter().chain([letters]).map(move |text| (rank, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_rise_with_the_rank() {
        for count in [1, 2, 3, 10, 11, 20, 21, 999, 40_960] {
            let all: Vec<_> = (0..count).map(|rank| letters(rank, count).unwrap()).collect();
            assert!(all.is_sorted_by(|a, b| a < b), "{count}");
            assert!(all.iter().all(|letters| letters.len() == all[0].len()));
        }
        assert_eq!(letters(0, 2).unwrap(), b"b");
        assert_eq!(letters(1, 2).unwrap(), b"p");
        assert_eq!(letters(0, 40_961), None);
    }

    #[test]
    fn a_text_gets_its_beginning_up_to_the_end_of_a_character() {
        let begun = |text: &str, rank, count| {
            let mut bytes = text.as_bytes().to_vec();
            let boundary = |_: &[u8], at| (at..).find(|&at| text.is_char_boundary(at)).unwrap();
            begin(&mut bytes, rank, count, boundary).map(|_| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(begun("Jane", 1, 2).as_deref(), Some("pone"));
        assert_eq!(begun("J", 1, 2).as_deref(), Some("p"));
        assert_eq!(begun("é", 0, 2).as_deref(), Some("bo"));
        assert_eq!(begun("日本", 0, 2).as_deref(), Some("boo本"));
        assert_eq!(begun("Xé日", 5, 20).as_deref(), Some("gvo日"));
        assert_eq!(begun("X", 5, 20), None);
    }

    #[test]
    fn beginnings_to_ask_a_server_for_are_in_order_by_bytes() {
        let mut all: Vec<_> = every_beginning().collect();
        assert_eq!(all.len(), 6 * (10 + 20 + 40));
        all.retain(|(rank, _)| *rank >= 2000);
        for (rank, text) in &all {
            assert!(all.iter().all(|(other, more)| other <= rank || more > text), "{text}");
        }
    }
}
