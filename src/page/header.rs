//! `PageHeaderData`; `storage/bufpage.h`.

use super::{BLCKSZ, Block, PageError, u16_at};

/// Size of the header: line pointers begin here (`SizeOfPageHeaderData`).
pub(super) const SIZE_OF_PAGE_HEADER: usize = 24;

const PD_CHECKSUM: usize = 8;
const PD_LOWER: usize = 12;
const PD_UPPER: usize = 14;
const PD_SPECIAL: usize = 16;
const PD_PAGESIZE_VERSION: usize = 18;
/// `BLCKSZ | PG_PAGE_LAYOUT_VERSION`.
const PAGESIZE_VERSION: u16 = BLCKSZ as u16 | 4;

const _: () = assert!(BLCKSZ <= u16::MAX as usize && BLCKSZ.is_power_of_two());

/// A heap page's header, with its bounds proven:
/// `24 <= pd_lower <= pd_upper <= pd_special = BLCKSZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// End of the line pointers.
    pub pd_lower: usize,
    /// Start of the tuples.
    pub pd_upper: usize,
    /// Checksum as stored; meaningless where the cluster has none.
    pub pd_checksum: u16,
}

impl PageHeader {
    /// Reads a heap page's header; `None` for a new page, one that was never initialised
    /// (`PageIsNew`).
    pub fn read(block: &Block) -> Result<Option<PageHeader>, PageError> {
        let field = |offset| u16_at(block, offset).map(usize::from).unwrap_or_default();
        let (pd_lower, pd_upper, pd_special) =
            (field(PD_LOWER), field(PD_UPPER), field(PD_SPECIAL));
        if pd_upper == 0 {
            return Ok(None);
        }
        if field(PD_PAGESIZE_VERSION) != usize::from(PAGESIZE_VERSION) {
            return Err(PageError::new("pd_pagesize_version is not that of an 8 kB page"));
        }
        if pd_lower < SIZE_OF_PAGE_HEADER || pd_lower > pd_upper || pd_upper > pd_special {
            return Err(PageError::new("pd_lower, pd_upper and pd_special are out of order"));
        }
        if pd_special != BLCKSZ {
            return Err(PageError::new("pd_special is not the end of the page: not a heap page"));
        }
        if !(pd_lower - SIZE_OF_PAGE_HEADER).is_multiple_of(4) {
            return Err(PageError::new("pd_lower is not at a line pointer's end"));
        }
        let pd_checksum = u16_at(block, PD_CHECKSUM).unwrap_or_default();
        Ok(Some(PageHeader { pd_lower, pd_upper, pd_checksum }))
    }

    /// Writes `pd_upper`.
    pub fn set_upper(block: &mut Block, pd_upper: usize) {
        if let Some(field) = block.get_mut(PD_UPPER..PD_UPPER + 2) {
            field.copy_from_slice(&(pd_upper as u16).to_le_bytes());
        }
    }

    /// Writes `pd_checksum`.
    pub fn set_checksum(block: &mut Block, checksum: u16) {
        if let Some(field) = block.get_mut(PD_CHECKSUM..PD_CHECKSUM + 2) {
            field.copy_from_slice(&checksum.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lower: u16, upper: u16, special: u16) -> Block {
        let mut block = [0; BLCKSZ];
        block[12..14].copy_from_slice(&lower.to_le_bytes());
        block[14..16].copy_from_slice(&upper.to_le_bytes());
        block[16..18].copy_from_slice(&special.to_le_bytes());
        block[18..20].copy_from_slice(&PAGESIZE_VERSION.to_le_bytes());
        block
    }

    #[test]
    fn reads_an_empty_page_and_knows_a_new_one() {
        let header = PageHeader::read(&page(24, 8192, 8192)).unwrap().unwrap();
        assert_eq!((header.pd_lower, header.pd_upper), (24, 8192));
        assert_eq!(PageHeader::read(&[0; BLCKSZ]), Ok(None));
    }

    #[test]
    fn rejects_bounds_out_of_order_and_foreign_pages() {
        for (lower, upper, special) in [
            (20, 8192, 8192),
            (400, 200, 8192),
            (24, 8193, 8192),
            (24, 8000, 8176),
            (26, 8192, 8192),
        ] {
            assert!(PageHeader::read(&page(lower, upper, special)).is_err(), "{lower} {upper}");
        }
        let mut other_version = page(24, 8192, 8192);
        other_version[18] = 3;
        assert!(PageHeader::read(&other_version).is_err());
    }
}
