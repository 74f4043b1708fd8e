//! `HeapTupleHeaderData`; `access/htup_details.h`.

use super::{PageError, u16_at};

const T_XMAX: usize = 4;
pub(super) const T_INFOMASK2: usize = 18;
pub(super) const T_INFOMASK: usize = 20;
pub(super) const T_HOFF: usize = 22;
/// `SizeofHeapTupleHeader`: the null bitmap, if there is one.
pub(super) const T_BITS: usize = 23;
pub(super) const HEAP_HASNULL: u16 = 0x0001;
pub(super) const HEAP_HASVARWIDTH: u16 = 0x0002;
pub(super) const HEAP_HASEXTERNAL: u16 = 0x0004;
pub(super) const HEAP_NATTS_MASK: u16 = 0x07FF;
const HEAP_XMAX_LOCK_ONLY: u16 = 0x0080;
const HEAP_XMAX_INVALID: u16 = 0x0800;
const HEAP_XMAX_IS_MULTI: u16 = 0x1000;

/// A transaction's number (`TransactionId`), which begins anew after 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransactionId(pub(crate) u32);

impl TransactionId {
    /// `FrozenTransactionId`: older than all others.
    const FROZEN: TransactionId = TransactionId(2);

    /// `TransactionIdPrecedes`.
    pub(crate) fn precedes(self, other: TransactionId) -> bool {
        if self.0 <= Self::FROZEN.0 || other.0 <= Self::FROZEN.0 {
            return self.0 < other.0;
        }
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
}

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

    /// Who deleted or replaced `tuple`, unless its hint bits say that nobody did; where several
    /// had a hand in it, a transaction older than all.
    pub(crate) fn deleter(tuple: &[u8]) -> Option<TransactionId> {
        let infomask = u16_at(tuple, T_INFOMASK)?;
        let t_xmax = u32::from_le_bytes(*tuple.get(T_XMAX..)?.first_chunk()?);
        if t_xmax == 0 || infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_LOCK_ONLY) != 0 {
            None
        } else if infomask & HEAP_XMAX_IS_MULTI != 0 {
            Some(TransactionId::FROZEN)
        } else {
            Some(TransactionId(t_xmax))
        }
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
