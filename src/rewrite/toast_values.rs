//! Values out of line: put together from their chunks, masked once however many tuples refer to
//! them, and written back to where they were.

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fork::Fork;
use super::heap::HeapRewriter;
use super::page::{Fault, Ranges, TuplePlace, TupleRewriter};
use super::pass::{PageFault, Pass, Target, Workspace};
use super::sorter::{Sorted, Sorter};
use super::toast::{CHUNK_DATA, Chunk, Reference, layout};
use crate::error::{Error, Place, Result};
use crate::ids::BlockNumber;
use crate::page::{
    BLCKSZ, Block, PageError, PageHeader, Storage, ToastPointer, TupleEnd, VarlenaForm,
    line_pointers, walk_attributes,
};

/// Of values with more bytes than this, one at a time is in memory.
const LARGE: usize = 16 << 20;
/// Chunks in one task, and as many more as the last value has.
const CHUNKS_AT_ONCE: usize = 256;
/// Locks over pages: two values may have chunks on one page.
const LOCKS: usize = 1024;

/// The masked values of one TOAST table, one after the other, as far as possible in the order in
/// which they lie there.
pub(super) struct Values {
    chunks: Sorted<Chunk>,
    references: Sorted<Reference>,
}

/// Some values, whole: those of one task.
#[derive(Default)]
pub(super) struct SomeValues {
    chunks: Vec<Chunk>,
    references: Vec<Reference>,
}

/// One value.
pub(super) struct ToastValue<'a> {
    chunks: &'a [Chunk],
    /// The references to it, and to others where its `chunk_id` has been used again.
    references: &'a [Reference],
}

impl Values {
    pub(super) fn new(chunks: Sorter<Chunk>, references: Sorter<Reference>) -> Result<Values> {
        Ok(Values { chunks: chunks.into_sorted()?, references: references.into_sorted()? })
    }

    /// The next values, with what refers to them.
    pub(super) fn next(&mut self) -> Result<Option<SomeValues>> {
        let Values { chunks, references } = self;
        let mut some = SomeValues::default();
        while let Some(id) = chunks.peek().map(|chunk| chunk.id)
            && some.chunks.len() < CHUNKS_AT_ONCE
        {
            while chunks.peek().is_some_and(|chunk| chunk.id == id) {
                some.chunks.extend(chunks.next()?);
            }
            while references.peek().is_some_and(|reference| reference.id <= id) {
                some.references.extend(references.next()?);
            }
        }
        Ok(Some(some).filter(|some| !some.chunks.is_empty()))
    }
}

impl SomeValues {
    pub(super) fn iter(&self) -> impl Iterator<Item = ToastValue<'_>> {
        let of_one = |left: &Chunk, right: &Chunk| (left.id, left.xmin) == (right.id, right.xmin);
        self.chunks.chunk_by(of_one).filter_map(|chunks| {
            let id = chunks.first()?.id;
            let start = self.references.partition_point(|reference| reference.id < id);
            let end = self.references.partition_point(|reference| reference.id <= id);
            Some(ToastValue { chunks, references: self.references.get(start..end)? })
        })
    }
}

/// Masks the values of one TOAST table.
pub(super) struct ToastMasking<'a> {
    pass: &'a Pass<'a>,
    /// The TOAST table.
    target: &'a Target<'a>,
    /// Its relation's columns.
    columns: &'a [&'a str],
    storage: Vec<Storage>,
    fork: Fork,
    pages: Vec<Mutex<()>>,
    large: Mutex<()>,
}

impl<'a> ToastMasking<'a> {
    /// `first` is the table's first segment.
    pub(super) fn new(
        pass: &'a Pass<'a>,
        target: &'a Target<'a>,
        columns: &'a [&'a str],
        first: &Path,
    ) -> Result<ToastMasking<'a>> {
        Ok(ToastMasking {
            pass,
            target,
            columns,
            storage: layout(),
            fork: Fork::open(first, pass.control.relseg_size)?,
            pages: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            large: Mutex::new(()),
        })
    }

    /// Masks a value. What is no whole value that a column refers to is zeroed.
    pub(super) fn mask(
        &self,
        value: &ToastValue<'_>,
        workspace: &mut Workspace,
        heap: &mut HeapRewriter<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        self.pass.cancel.check()?;
        let ToastValue { chunks, references } = *value;
        let Some(first) = chunks.first() else { return Ok(()) };
        let pointers = || references.iter().map(Reference::pointer);
        let largest = pointers().map(|pointer| pointer.va_rawsize as usize).max();
        let _one_at_a_time = (largest > Some(LARGE)).then(|| lock(&self.large));

        let mut parts = Vec::with_capacity(chunks.len());
        buffer.clear();
        let size = pointers().map(ToastPointer::extsize).max();
        // No chunk is larger than a page, whatever a damaged pointer says.
        buffer.reserve_exact(size.unwrap_or_default().min(chunks.len() * BLCKSZ));
        for of_page in chunks.chunk_by(|left, right| left.block == right.block) {
            self.gather(of_page, buffer, &mut parts)?;
        }
        let in_order = (0..).zip(chunks).all(|(seq, chunk): (u32, _)| chunk.seq == seq);
        let whole = references.iter().find(|it| it.pointer().extsize() == buffer.len());
        match whole {
            Some(reference) if in_order => {
                let is_compressed = reference.pointer().is_compressed();
                heap.mask_toasted(reference.slot, is_compressed, buffer).map_err(|error| {
                    let name = self.columns.get(usize::from(reference.slot));
                    Error::UnsupportedDatum {
                        place: Box::new(Place {
                            relation: self.target.name.clone(),
                            block: Some(BlockNumber(first.block)),
                            line_pointer: Some(first.line_pointer),
                            column: name.map(|name| (*name).to_owned()),
                        }),
                        what: error.0,
                    }
                })?;
            }
            _ => buffer.fill(0),
        }
        let mut parts = parts.as_slice();
        for of_page in chunks.chunk_by(|left, right| left.block == right.block) {
            let (here, rest) = parts.split_at_checked(of_page.len()).unwrap_or((parts, &[]));
            self.put_back(of_page, here, buffer, workspace)?;
            parts = rest;
        }
        self.pass.advance(buffer.len() as u64);
        if buffer.capacity() > LARGE {
            *buffer = Vec::new();
        }
        Ok(())
    }

    /// Adds the data of chunks on one page, and where in `buffer` it is.
    fn gather(
        &self,
        chunks: &[Chunk],
        buffer: &mut Vec<u8>,
        parts: &mut Vec<Range<usize>>,
    ) -> Result<()> {
        let Some(block) = chunks.first().map(|chunk| BlockNumber(chunk.block)) else {
            return Ok(());
        };
        let page = {
            let _page = self.lock(block);
            self.fork.read(block)?
        };
        let fault = |fault: Fault| PageFault::from(fault).at(Some(self.target), block);
        for chunk in chunks {
            let start = buffer.len();
            let data = chunk_data(&page, chunk.line_pointer, &self.storage).map_err(fault)?;
            buffer.extend_from_slice(page.get(data).unwrap_or_default());
            parts.push(start..buffer.len());
        }
        Ok(())
    }

    fn put_back(
        &self,
        chunks: &[Chunk],
        parts: &[Range<usize>],
        buffer: &[u8],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let Some(block) = chunks.first().map(|chunk| BlockNumber(chunk.block)) else {
            return Ok(());
        };
        let data = chunks.iter().zip(parts).map(|(chunk, part)| {
            (chunk.line_pointer, buffer.get(part.clone()).unwrap_or_default())
        });
        let mut writer = ChunkWriter { storage: &self.storage, data: data.collect() };
        let _page = self.lock(block);
        let raw = self.fork.read(block)?;
        let mut out = raw;
        let changed = self
            .pass
            .rewrite_page(&raw, &mut out, block, &mut workspace.pages, &mut writer)
            .map_err(|fault| fault.at(Some(self.target), block))?;
        if changed {
            self.fork.write(block, &out)?;
        }
        Ok(())
    }

    fn lock(&self, block: BlockNumber) -> Option<MutexGuard<'_, ()>> {
        self.pages.get(block.0 as usize % LOCKS).map(lock)
    }
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the data of a chunk is on its page.
fn chunk_data(
    page: &Block,
    line_pointer: u16,
    storage: &[Storage],
) -> std::result::Result<Range<usize>, Fault> {
    let gone = PageError::new("a chunk is no longer there").at_line_pointer(line_pointer);
    let header = PageHeader::read(page)?.ok_or(gone)?;
    let of_chunk = line_pointers(page, &header)
        .filter_map(std::result::Result::ok)
        .find(|pointer| pointer.number == line_pointer)
        .ok_or(gone)?;
    let tuple = page.get(of_chunk.offset..of_chunk.offset + of_chunk.len).ok_or(gone)?;
    let mut data = None;
    walk_attributes(tuple, storage, |attribute| {
        if let (CHUNK_DATA, Some(varlena)) = (attribute.index, attribute.varlena) {
            if !matches!(varlena.form, VarlenaForm::Short | VarlenaForm::Plain) {
                return Err(PageError::new("a chunk is stored compressed or out of line"));
            }
            let start = attribute.start + varlena.header_len;
            data = Some(of_chunk.offset + start..of_chunk.offset + attribute.end);
        }
        Ok::<(), PageError>(())
    })?;
    Ok(data.ok_or(gone)?)
}

/// Writes data over that of chunks.
struct ChunkWriter<'a> {
    storage: &'a [Storage],
    /// By line pointer.
    data: Vec<(u16, &'a [u8])>,
}

impl TupleRewriter for ChunkWriter<'_> {
    fn tuple(
        &mut self,
        raw: &[u8],
        out: &mut [u8],
        TuplePlace { line_pointer, offset, .. }: TuplePlace,
        ranges: &mut Ranges,
    ) -> std::result::Result<TupleEnd, Fault> {
        let data = self.data.iter().find(|(number, _)| *number == line_pointer);
        walk_attributes(raw, self.storage, |attribute| {
            if let (CHUNK_DATA, Some((_, data))) = (attribute.index, data) {
                let header_len = attribute.varlena.map_or(0, |varlena| varlena.header_len);
                let range = attribute.start + header_len..attribute.end;
                match out.get_mut(range.clone()) {
                    Some(place) if place.len() == data.len() => place.copy_from_slice(data),
                    _ => return Err(Fault::Layout),
                }
                ranges.allow(offset + range.start, offset + range.end);
            }
            Ok(())
        })
    }
}
