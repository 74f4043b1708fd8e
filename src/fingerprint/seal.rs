//! A stream of bytes under a key: ChaCha20-Poly1305 over frames, each with its number and whether it
//! is the last in the nonce (the STREAM construction). What was changed, cut off or put elsewhere is
//! an error when it is read.

use std::fmt;
use std::io::{Error, ErrorKind, Read, Result, Write};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::mask::MaskKey;

/// What the subkey is for.
const CONTEXT: &str = "thinveil 2026 sealed fingerprints v1";
/// What every such file begins with.
const MAGIC: &[u8; 8] = b"thvfps2\n";
/// Bytes of a frame, its tag aside. All but the last have as many.
const FRAME: usize = 64 << 10;
const TAG: usize = 16;
const SALT: usize = 16;

/// The key of one sealed stream. There is no second one under it: nonces are counted.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealKey {
    salt: [u8; SALT],
    key: [u8; 32],
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// A new one, which who has `key` can derive again.
    pub fn new(key: &MaskKey) -> crate::error::Result<SealKey> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| crate::error::Error::Io {
            action: "draw random bytes from",
            path: "the operating system".into(),
            source: error.into(),
        })?;
        Ok(SealKey { salt, key: key.subkey(CONTEXT, &salt) })
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&Key::from(self.key))
    }
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    if let Some(room) = bytes.first_chunk_mut() {
        *room = number.to_be_bytes();
    }
    if let Some(flag) = bytes.last_mut() {
        *flag = u8::from(last);
    }
    Nonce::from(bytes)
}

/// Writes a sealed stream. It is none before [`SealedWriter::finish`].
pub(super) struct SealedWriter<W> {
    inner: W,
    cipher: ChaCha20Poly1305,
    number: u64,
    frame: Vec<u8>,
}

impl<W: Write> SealedWriter<W> {
    pub(super) fn new(mut inner: W, key: &SealKey) -> Result<SealedWriter<W>> {
        inner.write_all(MAGIC)?;
        inner.write_all(&key.salt)?;
        let frame = Vec::with_capacity(FRAME + TAG);
        Ok(SealedWriter { inner, cipher: key.cipher(), number: 0, frame })
    }

    fn end_frame(&mut self, last: bool) -> Result<()> {
        let nonce = nonce(self.number, last);
        let tag = self.cipher.encrypt_inout_detached(&nonce, b"", self.frame.as_mut_slice().into());
        let tag = tag.map_err(|_| Error::other("a frame can't be encrypted"))?;
        self.inner.write_all(&self.frame)?;
        self.inner.write_all(&tag)?;
        self.number += 1;
        self.frame.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W> {
        self.end_frame(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.frame.len() == FRAME {
            self.end_frame(false)?;
        }
        let len = bytes.len().min(FRAME - self.frame.len());
        self.frame.extend_from_slice(bytes.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads a sealed stream.
pub(super) struct SealedReader<R> {
    inner: R,
    cipher: ChaCha20Poly1305,
    number: u64,
    frame: Vec<u8>,
    /// What has been read of the frame.
    at: usize,
    /// The beginning of the next frame.
    next: Vec<u8>,
    ended: bool,
}

impl<R: Read> SealedReader<R> {
    pub(super) fn new(mut inner: R, key: &MaskKey) -> Result<SealedReader<R>> {
        let mut magic = [0; MAGIC.len()];
        let mut salt = [0; SALT];
        inner.read_exact(&mut magic)?;
        inner.read_exact(&mut salt)?;
        if magic != *MAGIC {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "these are no sealed fingerprints, or those of another version",
            ));
        }
        let key = SealKey { salt, key: key.subkey(CONTEXT, &salt) };
        let cipher = key.cipher();
        let next = Vec::new();
        let mut reader =
            SealedReader { inner, cipher, number: 0, frame: Vec::new(), at: 0, next, ended: false };
        reader.next = reader.fetch()?;
        Ok(reader)
    }

    fn fetch(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(FRAME + TAG);
        (&mut self.inner).take((FRAME + TAG) as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn begin_frame(&mut self) -> Result<()> {
        let bad = || {
            let what = "the sealed fingerprints were changed, or are under another key";
            Error::new(ErrorKind::InvalidData, what)
        };
        let behind = self.fetch()?;
        self.frame = std::mem::replace(&mut self.next, behind);
        self.ended = self.next.is_empty();
        let len = self.frame.len().checked_sub(TAG).ok_or_else(bad)?;
        let tag: [u8; TAG] = *self.frame.last_chunk().ok_or_else(bad)?;
        self.frame.truncate(len);
        let nonce = nonce(self.number, self.ended);
        let frame = self.frame.as_mut_slice().into();
        let opened = self.cipher.decrypt_inout_detached(&nonce, b"", frame, &Tag::from(tag));
        opened.map_err(|_| bad())?;
        self.number += 1;
        self.at = 0;
        Ok(())
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.at == self.frame.len() {
            if self.ended {
                return Ok(0);
            }
            self.begin_frame()?;
        }
        let rest = self.frame.get(self.at..).unwrap_or_default();
        let len = rest.len().min(out.len());
        if let (Some(room), Some(bytes)) = (out.get_mut(..len), rest.get(..len)) {
            room.copy_from_slice(bytes);
        }
        self.at += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MaskKey {
        MaskKey::from_bytes([byte; 32])
    }

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), &SealKey::new(&key(1)).unwrap()).unwrap();
        text.chunks(777).for_each(|part| writer.write_all(part).unwrap());
        writer.finish().unwrap()
    }

    fn open(bytes: &[u8], byte: u8) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        SealedReader::new(bytes, &key(byte))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_alone() {
        for len in [0, 1, 999, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 17] {
            let text: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
            let bytes = sealed(&text);
            assert!(open(&bytes, 1).unwrap() == text, "{len}");
            assert!(open(&bytes, 2).is_err(), "{len}");
            assert!(len < 99 || !bytes.windows(16).any(|window| window == &text[..16]));
        }
    }

    #[test]
    fn rejects_what_was_changed_cut_off_or_reordered() {
        let text = vec![9; 2 * FRAME + 5];
        let bytes = sealed(&text);
        let head = MAGIC.len() + SALT;
        for at in [0, head - 1, head, head + FRAME, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(open(&bad, 1).is_err(), "byte {at}");
        }
        for len in [0, head, head + FRAME + TAG, head + 2 * (FRAME + TAG), bytes.len() - 1] {
            assert!(open(&bytes[..len], 1).is_err(), "{len} bytes");
        }
        let (first, rest) = bytes[head..].split_at(FRAME + TAG);
        let swapped = [&bytes[..head], &rest[..FRAME + TAG], first, &rest[FRAME + TAG..]].concat();
        assert!(open(&swapped, 1).is_err());
        assert!(open(&[&bytes[..], b"more"].concat(), 1).is_err());
    }
}
