//! Catalogs read from their files, where no server can be asked: the first columns of their rows,
//! which are of fixed length and never null.

use std::collections::HashMap;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::page::{BLCKSZ, PageHeader, TupleHeader, line_pointers};
use crate::storage::open_beneath;

/// `RELMAPPER_FILEMAGIC`; `utils/cache/relmapper.c`.
const RELMAPPER_FILEMAGIC: u32 = 0x0059_2717;
/// What a relation's first file holds at most.
const SEGMENT: u64 = 1 << 30;
/// `NAMEDATALEN`.
pub(super) const NAMEDATALEN: usize = 64;

/// A row version.
pub(super) struct Row<'a> {
    attributes: &'a [u8],
    /// True unless a later version has taken its place, or nothing has; as far as the file knows.
    pub(super) is_live: bool,
}

impl Row<'_> {
    /// A number that begins `offset` bytes behind the header; 0 where the row is shorter.
    pub(super) fn oid(&self, offset: usize) -> u32 {
        let bytes = self.attributes.get(offset..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// A `name`.
    pub(super) fn name(&self, offset: usize) -> String {
        let bytes = self.attributes.get(offset..offset + NAMEDATALEN).unwrap_or_default();
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

/// Shows every row version of a file of `root` that is the main fork of a table of less than a
/// gigabyte, dead ones too, in the order of the file. What can't be read here PostgreSQL itself will
/// complain about.
pub(super) fn for_each_row(root: &Path, file: &Path, mut see: impl FnMut(&Row<'_>)) -> Result<()> {
    let failed = || Error::io("read", root.join(file));
    let mut source = BufReader::new(open_beneath(root, file).map_err(failed())?.take(SEGMENT));
    let mut block = [0; BLCKSZ];
    loop {
        match source.read_exact(&mut block) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(failed()(error)),
        }
        let Ok(Some(header)) = PageHeader::read(&block) else { continue };
        for line_pointer in line_pointers(&block, &header).map_while(Result::ok) {
            let tuple = block.get(line_pointer.offset..line_pointer.offset + line_pointer.len);
            let tuple = tuple.unwrap_or_default();
            let Ok(header) = TupleHeader::read(tuple) else { continue };
            let attributes = tuple.get(header.t_hoff..).unwrap_or_default();
            see(&Row { attributes, is_live: TupleHeader::deleter(tuple).is_none() });
        }
    }
}

/// `pg_filenode.map` of a directory of `root`: the files of relations whose `pg_class.relfilenode` is
/// 0, by their oids. `None` if it has none.
pub(super) fn relation_map(root: &Path, directory: &Path) -> Result<Option<HashMap<u32, u32>>> {
    /// `sizeof(RelMapFile)`, and more than it will ever be.
    const MOST: u64 = 64 << 10;
    let file = directory.join("pg_filenode.map");
    let failed = || Error::io("read", root.join(&file));
    let source = match open_beneath(root, &file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed())?,
    };
    let mut bytes = Vec::new();
    source.take(MOST).read_to_end(&mut bytes).map_err(failed())?;
    let map = parse(&bytes).ok_or_else(|| {
        Error::invalid(format!("{}: not a relation map", root.join(&file).display()))
    })?;
    Ok(Some(map))
}

fn parse(map: &[u8]) -> Option<HashMap<u32, u32>> {
    let (words, _) = map.as_chunks::<4>();
    let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
    if words.next()? != RELMAPPER_FILEMAGIC {
        return None;
    }
    let count = words.next()?;
    (0..count).map(|_| Some((words.next()?, words.next()?))).collect()
}
