//! One page: tuples through a [`TupleRewriter`], everything that belongs to no tuple zeroed, and
//! the proof that nothing else changed.

use crate::ids::BlockNumber;
use crate::page::{BLCKSZ, Block, PageError, PageHeader, TupleEnd, line_pointers};
use crate::removal::Removal;

/// Why a page could not be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The raw page is garbage.
    Page(PageError),
    /// A stored form that masks can't rewrite in place.
    Unsupported { what: &'static str, attribute: usize, line_pointer: u16 },
    /// A tuple needs more room for its null bitmap than its slot and its page have.
    NoRoom { attribute: usize, line_pointer: u16 },
    /// The layout proof failed: a defect of this program.
    Layout,
}

impl From<PageError> for Fault {
    fn from(error: PageError) -> Fault {
        Fault::Page(error)
    }
}

/// Byte ranges of a page that a rewrite may change.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    #[inline]
    pub(super) fn allow(&mut self, start: usize, end: usize) {
        if start < end {
            self.0.push((start, end));
        }
    }
}

/// Where a tuple is.
#[derive(Clone, Copy, Debug)]
pub(super) struct TuplePlace {
    /// Its page.
    pub(super) block: BlockNumber,
    /// Its line pointer.
    pub(super) line_pointer: u16,
    /// Its first byte on the page.
    pub(super) offset: usize,
}

/// What happens within a tuple.
pub(super) trait TupleRewriter {
    /// Rewrites `out`, which begins as a copy of `raw`. Whatever it changes it must allow in
    /// `ranges`, whose positions count from the page's start, where the tuple is at `place`.
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        place: TuplePlace,
        ranges: &mut Ranges,
    ) -> Result<TupleEnd, Fault>;

    /// Rewrites what it left for the end of the page, in ranges that it has allowed.
    fn page_end(&mut self, _out: &mut Block) -> Result<(), Fault> {
        Ok(())
    }

    /// Goes on with a page whose layout is proved. What it changes it has to prove itself.
    fn proven(&mut self, _out: &mut Block) -> Result<(), Fault> {
        Ok(())
    }
}

/// Working memory for pages, one per thread.
#[derive(Debug)]
pub(super) struct PageRewriter {
    ranges: Ranges,
    extents: Vec<(usize, usize)>,
    expected: Box<Block>,
}

impl PageRewriter {
    pub(super) fn new() -> PageRewriter {
        PageRewriter {
            ranges: Ranges::default(),
            extents: Vec::new(),
            expected: Box::new([0; BLCKSZ]),
        }
    }

    /// Rewrites `out`, a copy of `raw`, and proves its layout. Leaves the checksum alone.
    pub(super) fn rewrite<T: TupleRewriter>(
        &mut self,
        raw: &Block,
        out: &mut Block,
        block: BlockNumber,
        tuples: &mut T,
    ) -> Result<(), Fault> {
        let Some(header) = PageHeader::read(raw)? else {
            return if raw.iter().all(|byte| *byte == 0) {
                Ok(())
            } else {
                Err(PageError::new("pd_upper is 0, but the page is not empty").into())
            };
        };
        self.ranges.0.clear();
        self.extents.clear();
        for line_pointer in line_pointers(raw, &header) {
            let line_pointer = line_pointer?;
            let (start, end) = (line_pointer.offset, line_pointer.offset + line_pointer.len);
            let (Some(raw_tuple), Some(out_tuple)) = (raw.get(start..end), out.get_mut(start..end))
            else {
                return Err(PageError::new("line pointer reaches outside of the page").into());
            };
            let place = TuplePlace { block, line_pointer: line_pointer.number, offset: start };
            let data_end = tuples
                .tuple(raw_tuple, out_tuple, place, &mut self.ranges)
                .map_err(|fault| fault.at_line_pointer(line_pointer.number))?
                .data_end;
            // What is behind the last attribute means nothing to PostgreSQL.
            self.zero(out, start + data_end, end);
            self.extents.push((start, end));
        }
        tuples.page_end(out)?;
        if !Removal::PageHoles.is_off() {
            self.zero(out, header.pd_lower, header.pd_upper);
        }
        self.zero_gaps(out, header.pd_upper)?;
        self.prove(raw, out)?;
        tuples.proven(out)
    }

    /// Zeroes what lies between tuples: alignment padding, and remains of tuples removed.
    fn zero_gaps(&mut self, out: &mut Block, pd_upper: usize) -> Result<(), Fault> {
        let mut extents = std::mem::take(&mut self.extents);
        extents.sort_unstable();
        let mut position = pd_upper;
        for (start, end) in &extents {
            if *start < position {
                return Err(PageError::new("tuples overlap").into());
            }
            self.zero(out, position, *start);
            position = *end;
        }
        self.zero(out, position, BLCKSZ);
        self.extents = extents;
        Ok(())
    }

    fn zero(&mut self, out: &mut Block, start: usize, end: usize) {
        if let Some(bytes) = out.get_mut(start..end)
            && bytes.iter().any(|byte| *byte != 0)
        {
            bytes.fill(0);
            self.ranges.allow(start, end);
        }
    }

    /// Proves that every byte outside of the allowed ranges is the raw one: line pointers, tuple
    /// headers, null bitmaps, varlena headers and every unmasked attribute.
    fn prove(&mut self, raw: &Block, out: &Block) -> Result<(), Fault> {
        self.expected.copy_from_slice(raw);
        for (start, end) in &self.ranges.0 {
            match (self.expected.get_mut(*start..*end), out.get(*start..*end)) {
                (Some(expected), Some(out)) => expected.copy_from_slice(out),
                _ => return Err(Fault::Layout),
            }
        }
        if self.expected.as_slice() == out.as_slice() { Ok(()) } else { Err(Fault::Layout) }
    }
}

impl Fault {
    fn at_line_pointer(self, number: u16) -> Fault {
        match self {
            Fault::Page(error) => Fault::Page(error.at_line_pointer(number)),
            Fault::Unsupported { what, attribute, .. } => {
                Fault::Unsupported { what, attribute, line_pointer: number }
            }
            Fault::NoRoom { attribute, .. } => Fault::NoRoom { attribute, line_pointer: number },
            Fault::Layout => Fault::Layout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the byte at `at` of each tuple to 0xFF, and owns up to it or not.
    struct Meddler {
        at: usize,
        owns_up: bool,
    }

    impl TupleRewriter for Meddler {
        fn tuple(
            &mut self,
            raw: &[u8],
            out: &mut [u8],
            place: TuplePlace,
            ranges: &mut Ranges,
        ) -> Result<TupleEnd, Fault> {
            out[self.at] = 0xFF;
            if self.owns_up {
                ranges.allow(place.offset + self.at, place.offset + self.at + 1);
            }
            Ok(TupleEnd { data_end: raw.len() - 2 })
        }
    }

    fn page() -> Block {
        let mut block = [0; BLCKSZ];
        let tuples = [(8152u32, 36u32), (8104, 40)];
        block[12..14].copy_from_slice(&32u16.to_le_bytes());
        block[14..16].copy_from_slice(&8096u16.to_le_bytes());
        block[16..18].copy_from_slice(&8192u16.to_le_bytes());
        block[18..20].copy_from_slice(&(8192u16 | 4).to_le_bytes());
        for (index, (offset, len)) in tuples.into_iter().enumerate() {
            let item = offset | 1 << 15 | len << 17;
            block[24 + 4 * index..28 + 4 * index].copy_from_slice(&item.to_le_bytes());
            block[offset as usize..(offset + len) as usize].fill(b't');
        }
        block
    }

    #[test]
    fn zeroes_holes_gaps_and_tails_and_nothing_else() {
        let mut raw = page();
        raw[100] = b'h'; // hole
        raw[8097] = b'r'; // remains below the lowest tuple
        raw[8190] = b'g'; // padding behind the highest
        let mut out = raw;
        let mut meddler = Meddler { at: 30, owns_up: true };
        PageRewriter::new().rewrite(&raw, &mut out, BlockNumber(0), &mut meddler).unwrap();
        assert_eq!((out[100], out[8097], out[8190]), (0, 0, 0));
        assert_eq!(out[8152 + 34..8152 + 36], [0, 0]);
        assert_eq!((out[8152 + 30], out[8152 + 31]), (0xFF, b't'));
        assert_eq!(out[..32], raw[..32]);
    }

    #[test]
    fn the_proof_catches_a_change_that_nobody_owns_up_to() {
        let raw = page();
        let mut out = raw;
        let mut meddler = Meddler { at: 30, owns_up: false };
        let result = PageRewriter::new().rewrite(&raw, &mut out, BlockNumber(0), &mut meddler);
        assert_eq!(result, Err(Fault::Layout));
    }

    #[test]
    fn rejects_tuples_that_overlap() {
        let mut raw = page();
        let item = 8136u32 | 1 << 15 | 40 << 17;
        raw[24..28].copy_from_slice(&item.to_le_bytes());
        let mut out = raw;
        let mut meddler = Meddler { at: 30, owns_up: true };
        let result = PageRewriter::new().rewrite(&raw, &mut out, BlockNumber(0), &mut meddler);
        assert!(matches!(result, Err(Fault::Page(_))));
    }
}
