//! Fingerprints in a file, sealed under the masking key.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::beginnings::Beginnings;
use super::bucket::{BUCKETS, Record};
use super::collect::{Entry, Limits};
use super::gathered::{ColumnName, Gathered};
use super::hash::HashKey;
use super::seal::{SealKey, SealedReader, SealedWriter};
use super::sorted::Sorted;
use crate::error::{Error, Result};
use crate::mask::MaskKey;

/// More than this is no list of columns and what goes with it.
const LONGEST_HEAD: u64 = 1 << 30;

/// What comes before the fingerprints.
#[derive(Serialize, Deserialize)]
struct Head {
    columns: Vec<ColumnName>,
    column_sets: Vec<Vec<u32>>,
    counts: [u64; 3],
    numbers: Vec<u64>,
    forgotten: Vec<u64>,
    /// Whatever else an audit needs.
    context: serde_json::Value,
}

impl Gathered {
    /// Writes all of it to a new file that only its owner can read, with `context` before it.
    pub fn seal(&self, path: &Path, key: &SealKey, context: serde_json::Value) -> Result<()> {
        let head = Head {
            columns: self.columns.clone(),
            column_sets: self.column_sets.clone(),
            counts: [self.distinct, self.also_output, self.unsearchable],
            numbers: self.numbers.clone(),
            forgotten: self.forgotten.iter().copied().collect(),
            context,
        };
        let head = serde_json::to_vec(&head)
            .map_err(|error| Error::invalid(format!("the head of the fingerprints: {error}")))?;
        let failed = |error| Error::io("write", path)(error);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut writer = SealedWriter::new(file.map_err(failed)?, key).map_err(failed)?;
        let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(failed);
        write(&(head.len() as u64).to_le_bytes())?;
        write(&head)?;
        for beginnings in &self.beginnings {
            beginnings.write(&mut writer).map_err(failed)?;
        }
        let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(failed);
        for (originals, outputs) in self.originals.iter().zip(&self.outputs) {
            write(&bytes_of(&originals.load()?))?;
            write(&bytes_of(&outputs.load()?))?;
        }
        writer.finish().map_err(failed)?;
        Ok(())
    }

    /// Reads what [`Gathered::seal`] wrote, and the context. `scratch` is where sets go that are too
    /// large for memory.
    pub fn unseal(
        path: &Path,
        key: &MaskKey,
        scratch: &Path,
        limits: Limits,
    ) -> Result<(Gathered, serde_json::Value)> {
        let failed = |error| Error::io("read", path)(error);
        let file = BufReader::new(File::open(path).map_err(failed)?);
        let mut reader = SealedReader::new(file, key).map_err(failed)?;
        let len = read_number(&mut reader).map_err(failed)?;
        let mut head = Vec::new();
        (&mut reader).take(len.min(LONGEST_HEAD)).read_to_end(&mut head).map_err(failed)?;
        let head: Head = serde_json::from_slice(&head)
            .map_err(|error| Error::invalid(format!("the head of the fingerprints: {error}")))?;
        let key = HashKey::derive(key);
        let mut beginnings = || Beginnings::read(&key, &mut reader).map(Arc::new).map_err(failed);
        let beginnings = [beginnings()?, beginnings()?];
        let mut gathered = Gathered::from_parts(
            key,
            head.columns,
            head.column_sets,
            head.counts,
            head.numbers,
            beginnings,
            limits.searched,
        );
        gathered.forgotten = head.forgotten.into_iter().collect();
        let [distinct, ..] = head.counts;
        let large = distinct > limits.originals as u64;
        for number in 0..BUCKETS {
            let originals = read_records::<Entry>(&mut reader).map_err(failed)?;
            let outputs = read_records::<u64>(&mut reader).map_err(failed)?;
            let originals = Sorted::new(originals, large, scratch, &format!("gathered-{number}"))?;
            let outputs = Sorted::new(outputs, large, scratch, &format!("made-{number}"))?;
            gathered.originals.push(originals);
            gathered.outputs.push(outputs);
        }
        let mut behind = [0];
        if reader.read(&mut behind).map_err(failed)? > 0 {
            return Err(Error::invalid("something is behind the sealed fingerprints"));
        }
        Ok((gathered, head.context))
    }
}

/// Their number, and all of them.
fn bytes_of<R: Record>(records: &[R]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + records.len() * R::SIZE);
    bytes.extend_from_slice(&(records.len() as u64).to_le_bytes());
    records.iter().for_each(|record| record.write(&mut bytes));
    bytes
}

fn read_number(reader: &mut impl Read) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_records<R: Record>(reader: &mut impl Read) -> std::io::Result<Vec<R>> {
    let count = read_number(reader)?;
    let len = count.saturating_mul(R::SIZE as u64);
    let mut bytes = Vec::new();
    reader.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != len {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.chunks_exact(R::SIZE).filter_map(R::read).collect())
}
