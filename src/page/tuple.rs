//! `HeapTupleHeaderData`; `access/htup_details.h`.

use super::{PageError, u16_at};

pub(super) const T_INFOMASK2: usize = 18;
pub(super) const T_INFOMASK: usize = 20;
pub(super) const T_HOFF: usize = 22;
/// `SizeofHeapTupleHeader`: the null bitmap, if there is one.
pub(super) const T_BITS: usize = 23;
pub(super) const HEAP_HASNULL: u16 = 0x0001;
pub(super) const HEAP_HASVARWIDTH: u16 = 0x0002;
pub(super) const HEAP_HASEXTERNAL: u16 = 0x0004;
pub(super) const HEAP_NATTS_MASK: u16 = 0x07FF;

/// The parts of a tuple header that say where its attributes are.
#[derive(Clone, Copy, Debug)]
pub struct TupleHeader<'a> {
    /// `t_hoff`: where the attributes start.
    pub t_hoff: usize,
    /// Attributes present; a tuple older than `ADD COLUMN` has fewer than its table.
    pub natts: usize,
    /// A set bit is a value that is not null; `None` if no attribute is null.
    null_bitmap: Option<&'a [u8]>,
}

impl<'a> TupleHeader<'a> {
    /// Reads the header of `tuple`, which is all of the tuple's bytes.
    pub fn read(tuple: &'a [u8]) -> Result<TupleHeader<'a>, PageError> {
        let cut = PageError::new("tuple ends within its header");
        let natts = usize::from(u16_at(tuple, T_INFOMASK2).ok_or(cut)? & HEAP_NATTS_MASK);
        let infomask = u16_at(tuple, T_INFOMASK).ok_or(cut)?;
        let t_hoff = usize::from(*tuple.get(T_HOFF).ok_or(cut)?);
        let has_null = infomask & HEAP_HASNULL != 0;
        let bitmap_len = if has_null { natts.div_ceil(8) } else { 0 };
        if !t_hoff.is_multiple_of(8) || t_hoff < T_BITS + bitmap_len || t_hoff > tuple.len() {
            return Err(PageError::new(
                "t_hoff does not lie behind the header and within the tuple",
            ));
        }
        let null_bitmap = if has_null { tuple.get(T_BITS..T_BITS + bitmap_len) } else { None };
        Ok(TupleHeader { t_hoff, natts, null_bitmap })
    }

    /// True if it has a null bitmap.
    pub fn has_null_bitmap(&self) -> bool {
        self.null_bitmap.is_some()
    }

    /// True if attribute `index` (0-based) is null.
    #[inline]
    pub fn is_null(&self, index: usize) -> bool {
        match self.null_bitmap {
            Some(bitmap) => bitmap.get(index / 8).is_none_or(|byte| byte & (1 << (index % 8)) == 0),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(natts: u16, infomask: u16, t_hoff: u8, bits: u8, len: usize) -> Vec<u8> {
        let mut tuple = vec![0; len];
        tuple[18..20].copy_from_slice(&natts.to_le_bytes());
        tuple[20..22].copy_from_slice(&infomask.to_le_bytes());
        tuple[22] = t_hoff;
        tuple[23] = bits;
        tuple
    }

    #[test]
    fn reads_attribute_count_and_nulls() {
        let bytes = tuple(3, HEAP_HASNULL, 24, 0b101, 40);
        let header = TupleHeader::read(&bytes).unwrap();
        assert_eq!((header.natts, header.t_hoff), (3, 24));
        assert_eq!([0, 1, 2].map(|index| header.is_null(index)), [false, true, false]);
    }

    #[test]
    fn rejects_a_t_hoff_that_can_not_be() {
        assert!(TupleHeader::read(&tuple(3, HEAP_HASNULL, 16, 0, 40)).is_err());
        assert!(TupleHeader::read(&tuple(3, 0, 25, 0, 40)).is_err());
        assert!(TupleHeader::read(&tuple(3, 0, 48, 0, 40)).is_err());
        assert!(TupleHeader::read(&tuple(40, HEAP_HASNULL, 24, 0, 40)).is_err());
        assert!(TupleHeader::read(&[0; 20]).is_err());
    }
}
