//! Who may log in before anything is known of a cluster: the superuser that `initdb` made.

use std::path::Path;

use crate::error::{Error, Result};
use crate::ids::Oid;
use crate::page::{BLCKSZ, PageError, PageHeader, Storage, line_pointers, walk_attributes};

/// `AuthIdRelationId`; `catalog/pg_authid.h`.
const PG_AUTHID: u32 = 1260;
/// `RELMAPPER_FILEMAGIC`; `utils/cache/relmapper.c`.
const RELMAPPER_FILEMAGIC: u32 = 0x0059_2717;
/// `oid oid`, `rolname name`: the first columns of `pg_authid` in every supported version.
const LAYOUT: [(i16, u8); 2] = [(4, 4), (64, 1)];

/// Names that role 10 has or had, read from the pages of `pg_authid`. A crashed cluster may know a
/// newer one in its write-ahead log alone.
pub fn superuser_names(pgdata: &Path) -> Result<Vec<String>> {
    let map = pgdata.join("global/pg_filenode.map");
    let bytes = std::fs::read(&map).map_err(Error::io("read", &map))?;
    let number = authid_file(&bytes)
        .ok_or_else(|| Error::invalid(format!("{}: not a relation map", map.display())))?;
    let path = pgdata.join("global").join(number.to_string());
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let mut names = Vec::new();
    for block in bytes.as_chunks::<BLCKSZ>().0 {
        // What can't be read here PostgreSQL itself will complain about.
        let _ = collect_names(block, &mut names);
    }
    names.dedup();
    Ok(names)
}

fn authid_file(map: &[u8]) -> Option<u32> {
    let (words, _) = map.as_chunks::<4>();
    let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
    if words.next()? != RELMAPPER_FILEMAGIC {
        return None;
    }
    let count = words.next()?;
    for _ in 0..count {
        let (oid, number) = (words.next()?, words.next()?);
        if oid == PG_AUTHID {
            return Some(number);
        }
    }
    None
}

fn collect_names(block: &[u8; BLCKSZ], names: &mut Vec<String>) -> Result<(), PageError> {
    let Some(header) = PageHeader::read(block)? else { return Ok(()) };
    for line_pointer in line_pointers(block, &header) {
        let line_pointer = line_pointer?;
        let tuple = block.get(line_pointer.offset..line_pointer.offset + line_pointer.len);
        let tuple = tuple.unwrap_or_default();
        // The walk wants a layout for every attribute; the ones behind the name don't matter.
        let mut storage: Vec<Storage> =
            LAYOUT.iter().filter_map(|(len, align)| Storage::new(*len, *align)).collect();
        storage.extend(std::iter::repeat_n(storage.first().copied(), 30).flatten());
        let mut oid = None;
        let walked = walk_attributes(tuple, &storage, |attribute| {
            let bytes = tuple.get(attribute.start..attribute.end).unwrap_or_default();
            match attribute.index {
                0 => oid = bytes.first_chunk().map(|bytes| Oid(u32::from_le_bytes(*bytes))),
                1 if oid == Some(Oid::BOOTSTRAP_SUPERUSER) => {
                    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                    names.push(String::from_utf8_lossy(name).into_owned());
                }
                1 => {}
                _ => return Err(PageError::new("far enough")),
            }
            Ok(())
        });
        let _ = walked;
    }
    Ok(())
}
