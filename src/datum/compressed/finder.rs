//! Finds the longest earlier match of every position.
//!
//! One binary search tree per hash of the first bytes, over the positions of a sliding window,
//! ordered by what follows them. A new position becomes the root; on the way down to its place
//! lie its neighbours in that order, and the longest match is one of them.

/// Bytes that are compared at most; nodes that agree in so many are one node.
pub(super) const MAX_COMPARED: usize = 273;
/// How deep a search goes. Only text that was made for it has deeper trees; matches may then be
/// missed, and the time per byte stays bounded.
const MAX_DEPTH: usize = 512;

/// A match: what lies `distance` bytes back is equal for `len` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) len: usize,
    pub(super) distance: usize,
}

/// Trees over the positions of `raw`, which have to be visited in ascending order.
pub(super) struct Finder<'a> {
    raw: &'a [u8],
    min_match: usize,
    max_distance: usize,
    /// Newest position plus one, by hash; 0 is none.
    roots: Vec<u32>,
    /// Positions plus one before and after that of this node in order, by the low bits of the
    /// node's position.
    children: Vec<[u32; 2]>,
}

impl<'a> Finder<'a> {
    /// `window` is a power of two; matches lie fewer bytes back.
    pub(super) fn new(raw: &'a [u8], min_match: usize, window: usize) -> Finder<'a> {
        let size = window.min(raw.len().next_power_of_two());
        Finder {
            raw,
            min_match,
            max_distance: window - 1,
            roots: vec![0; (raw.len().next_power_of_two() * 2).clamp(1 << 8, 1 << 16)],
            children: vec![[0; 2]; size],
        }
    }

    /// The longest match of the bytes at `position`, which is now part of the trees; of length 0
    /// if there is none.
    pub(super) fn visit(&mut self, position: usize) -> Match {
        self.search(position).unwrap_or_default()
    }

    /// `None` where too few bytes follow.
    #[inline]
    fn search(&mut self, position: usize) -> Option<Match> {
        let here = self.raw.get(position..)?;
        let here = here.get(..MAX_COMPARED.min(here.len()))?;
        let key = here.first_chunk::<3>()?;
        let fourth = if self.min_match > 3 { *here.get(3)? } else { 0 };
        let hash = u32::from_le_bytes([key[0], key[1], key[2], fourth]).wrapping_mul(0x9E37_79B1);
        let slot = (hash >> 16) as usize & (self.roots.len() - 1);
        let root = self.roots.get_mut(slot)?;
        let mut candidate = std::mem::replace(root, u32::try_from(position + 1).ok()?);

        let mask = self.children.len() - 1;
        let mut best = Match::default();
        // Where the next smaller and the next larger node will hang, and how many bytes all that
        // may still come there have in common with this position.
        let mut hooks = [(position & mask, 0), (position & mask, 1)];
        let mut common = [0, 0];
        for _ in 0..MAX_DEPTH {
            let Some(earlier) = (candidate as usize).checked_sub(1) else { break };
            let distance = position - earlier;
            if distance > self.max_distance {
                break;
            }
            let there = self.raw.get(earlier..earlier + here.len())?;
            let sure = common[0].min(common[1]);
            let len = sure + common_prefix(here.get(sure..)?, there.get(sure..)?);
            if len > best.len {
                best = Match { len, distance };
            }
            let node = *self.children.get(earlier & mask)?;
            let (Some(ours), Some(theirs)) = (here.get(len), there.get(len)) else {
                // Equal as far as anybody looks: this position takes the node's place.
                self.hang(hooks[0], node[0])?;
                self.hang(hooks[1], node[1])?;
                return (best.len >= self.min_match).then_some(best);
            };
            // The node hangs where it belongs, and what lies between it and this position is next.
            if theirs < ours {
                self.hang(hooks[0], candidate)?;
                (hooks[0], common[0], candidate) = ((earlier & mask, 1), len, node[1]);
            } else {
                self.hang(hooks[1], candidate)?;
                (hooks[1], common[1], candidate) = ((earlier & mask, 0), len, node[0]);
            }
        }
        self.hang(hooks[0], 0)?;
        self.hang(hooks[1], 0)?;
        (best.len >= self.min_match).then_some(best)
    }

    #[inline]
    fn hang(&mut self, (node, side): (usize, usize), child: u32) -> Option<()> {
        *self.children.get_mut(node)?.get_mut(side)? = child;
        Some(())
    }
}

/// How many bytes at the start of `a` and `b` are equal.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (eights, _) = a.as_chunks::<8>();
    let (others, _) = b.as_chunks::<8>();
    let mut equal = 0;
    for (x, y) in eights.iter().zip(others) {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return equal + differing.trailing_zeros() as usize / 8;
        }
        equal += 8;
    }
    let rest = a.iter().zip(b).skip(equal);
    equal + rest.take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn naive(raw: &[u8], position: usize, min_match: usize, window: usize) -> usize {
        let here = &raw[position..];
        (position.saturating_sub(window - 1)..position)
            .map(|earlier| common_prefix(here, &raw[earlier..]).min(MAX_COMPARED))
            .filter(|&len| len >= min_match)
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn finds_the_longest_match_of_every_position(
            raw in prop_oneof![
                vec(0..2_u8, 0..700),
                vec(any::<u8>(), 0..300),
                (vec(0..8_u8, 1..40), 1..30_usize).prop_map(|(part, n)| part.repeat(n)),
            ],
            min_match in 3..=4_usize,
            window_bits in 4..9_u32,
        ) {
            let window = 1 << window_bits;
            let mut finder = Finder::new(&raw, min_match, window);
            for position in 0..raw.len() {
                let found = finder.visit(position);
                prop_assert_eq!(found.len, naive(&raw, position, min_match, window));
                if found.len > 0 {
                    let earlier = position - found.distance;
                    prop_assert!(common_prefix(&raw[position..], &raw[earlier..]) >= found.len);
                    prop_assert!(found.distance < window);
                }
            }
        }
    }
}
