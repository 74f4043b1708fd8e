//! Pages of the two maps that a heap has: of visibility, and of free space. They are bits and bytes
//! about blocks of the heap; what is about none is never read, and zeroed here. Layouts are those of
//! `access/heap/visibilitymap.c` and `storage/freespace/fsmpage.c`.

use super::{BLCKSZ, Block, PageHeader};

/// `MAXALIGN(SizeOfPageHeaderData)`: where the maps begin.
const CONTENTS: usize = 24;
const PD_PRUNE_XID: usize = 20;

/// `HEAPBLOCKS_PER_PAGE`: blocks of the heap that a page of the visibility map is about.
pub const HEAPBLOCKS_PER_PAGE: u32 = (BLCKSZ - CONTENTS) as u32 * HEAPBLOCKS_PER_BYTE;
const HEAPBLOCKS_PER_BYTE: u32 = 4;
const BITS_PER_HEAPBLOCK: u32 = 2;

/// Where `fp_next_slot` ends, and `fp_nodes` begin: a binary tree of maxima in an array.
const NODES: usize = CONTENTS + 4;
/// `NonLeafNodesPerPage`
const INNER_NODES: usize = BLCKSZ / 2 - 1;
/// `SlotsPerFSMPage`: leaves of the tree, each for a block of the heap or a page below.
pub const SLOTS_PER_FSM_PAGE: u32 = (BLCKSZ - NODES - INNER_NODES) as u32;

/// Zeroes what a page of the visibility map says of other than the first `blocks` that it could be
/// about.
pub fn clear_visibility_page(page: &mut Block, blocks: u32) {
    if !clear_header(page) {
        return;
    }
    let map = page.get_mut(CONTENTS..).unwrap_or_default();
    let whole = (blocks / HEAPBLOCKS_PER_BYTE) as usize;
    if let Some(rest) = map.get_mut(whole..) {
        let bits = (blocks % HEAPBLOCKS_PER_BYTE) * BITS_PER_HEAPBLOCK;
        if let Some((first, rest)) = rest.split_first_mut() {
            *first &= (1 << bits) - 1;
            rest.fill(0);
        }
    }
}

/// Zeroes the slots of a page of the free space map behind the first `children`, sets those of which
/// `below` knows the page below, and makes the tree over them anew. Returns its root.
pub fn clear_free_space_page(page: &mut Block, children: u32, below: &[u8]) -> u8 {
    if !clear_header(page) {
        return 0;
    }
    let next_slot = page.get(CONTENTS..NODES).and_then(|bytes| bytes.try_into().ok());
    if u32::from_le_bytes(next_slot.unwrap_or_default()) >= SLOTS_PER_FSM_PAGE {
        page.get_mut(CONTENTS..NODES).unwrap_or_default().fill(0);
    }
    let nodes = page.get_mut(NODES..).unwrap_or_default();
    let slots = nodes.get_mut(INNER_NODES..).unwrap_or_default();
    slots.iter_mut().zip(below).for_each(|(slot, root)| *slot = *root);
    slots.get_mut(children as usize..).unwrap_or_default().fill(0);
    for parent in (0..INNER_NODES).rev() {
        let child = |number: usize| nodes.get(number).copied().unwrap_or(0);
        let greatest = child(2 * parent + 1).max(child(2 * parent + 2));
        if let Some(node) = nodes.get_mut(parent) {
            *node = greatest;
        }
    }
    nodes.first().copied().unwrap_or(0)
}

/// Clears what no map needs of its header; all of a page that is none, as PostgreSQL does when it
/// comes upon one (`RBM_ZERO_ON_ERROR`). False for such a page, and for one that is new.
fn clear_header(page: &mut Block) -> bool {
    let is_map = matches!(PageHeader::read(page), Ok(Some(header)) if header.pd_upper == BLCKSZ);
    let cleared = if is_map { page.get_mut(PD_PRUNE_XID..CONTENTS) } else { Some(&mut page[..]) };
    cleared.unwrap_or_default().fill(0);
    is_map
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `PageInit` makes, and everything behind it set.
    fn page() -> Block {
        let mut page = [0xFF; BLCKSZ];
        page[..CONTENTS].fill(0);
        page[12..14].copy_from_slice(&24u16.to_le_bytes());
        page[14..16].copy_from_slice(&8192u16.to_le_bytes());
        page[16..18].copy_from_slice(&8192u16.to_le_bytes());
        page[18..20].copy_from_slice(&(8192u16 | 4).to_le_bytes());
        page
    }

    #[test]
    fn sizes_are_those_of_the_source() {
        assert_eq!((HEAPBLOCKS_PER_PAGE, SLOTS_PER_FSM_PAGE), (32_672, 4_069));
    }

    #[test]
    fn visibility_stays_for_blocks_that_exist() {
        for blocks in [0, 1, 3, 4, 5, 32_671, 32_672, u32::MAX] {
            let mut cleared = page();
            cleared[PD_PRUNE_XID] = 1;
            clear_visibility_page(&mut cleared, blocks);
            let bits: u32 = cleared[CONTENTS..].iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(bits, 2 * blocks.min(HEAPBLOCKS_PER_PAGE), "{blocks}");
            assert_eq!(cleared[..CONTENTS], page()[..CONTENTS]);
        }
    }

    #[test]
    fn the_tree_of_free_space_is_that_of_its_slots() {
        let mut cleared = page();
        for slot in 0..SLOTS_PER_FSM_PAGE as usize {
            cleared[NODES + INNER_NODES + slot] = (slot % 97) as u8;
        }
        assert_eq!(clear_free_space_page(&mut cleared, 10, &[50, 3]), 50);
        let nodes = &cleared[NODES..];
        assert_eq!(nodes[INNER_NODES..INNER_NODES + 10], [50, 3, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(nodes[INNER_NODES + 10..].iter().all(|slot| *slot == 0));
        for parent in 0..INNER_NODES {
            let child = |number: usize| nodes.get(number).copied().unwrap_or(0);
            assert_eq!(nodes[parent], child(2 * parent + 1).max(child(2 * parent + 2)));
        }
        assert_eq!(cleared[CONTENTS..NODES], [0; 4]);
        let before = cleared;
        assert_eq!(clear_free_space_page(&mut cleared, 10, &[]), 50);
        assert_eq!(cleared, before);
        assert_eq!(clear_free_space_page(&mut cleared, 0, &[]), 0);
        assert!(cleared[NODES..].iter().all(|node| *node == 0));
    }

    #[test]
    fn what_is_no_map_is_zeroed() {
        for meddle in [(14, 0), (16, 1), (18, 9)] {
            let mut cleared = page();
            cleared[meddle.0] = meddle.1;
            cleared[15] = if meddle.0 == 14 { 0 } else { cleared[15] };
            assert_eq!(clear_free_space_page(&mut cleared, 4, &[]), 0);
            assert_eq!(cleared, [0; BLCKSZ], "{meddle:?}");
        }
    }
}
