//! The user's key. Never stored, never printed, zeroed when dropped.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{Error, Result};

/// A 32-byte masking key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MaskKey {
    bytes: [u8; 32],
    /// It will be forgotten: nothing that it opens is worth keeping.
    ephemeral: bool,
}

/// What a manifest says of a key: enough to tell two keys apart, nothing to guess one by.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl MaskKey {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> MaskKey {
        MaskKey { bytes, ephemeral: false }
    }

    /// A key from 64 hexadecimal digits, white space around them ignored.
    pub fn from_hex(text: &str) -> Result<MaskKey> {
        let hash = blake3::Hash::from_hex(text.trim())
            .map_err(|_| Error::invalid("a key is 64 hexadecimal digits (thinveil key new)"))?;
        Ok(MaskKey::from_bytes(*hash.as_bytes()))
    }

    /// A new key from the operating system's random source.
    pub fn generate() -> Result<MaskKey> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Io {
            action: "draw random bytes from",
            path: "the operating system".into(),
            source: error.into(),
        })?;
        Ok(MaskKey::from_bytes(bytes))
    }

    /// A new key that nobody will have after this run: a snapshot can't be audited again with it.
    pub fn ephemeral() -> Result<MaskKey> {
        let mut key = MaskKey::generate()?;
        key.ephemeral = true;
        Ok(key)
    }

    /// True if nobody will have it after this run.
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The key as 64 hexadecimal digits, for `key new` alone.
    pub fn to_hex(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(blake3::Hash::from_bytes(self.bytes).to_hex().to_string())
    }

    /// What a manifest calls this key.
    pub fn id(&self) -> KeyId {
        let derived = blake3::derive_key("thinveil 2026 key id", &self.bytes);
        KeyId(blake3::Hash::from_bytes(derived).to_hex().chars().take(16).collect())
    }

    /// The subkey for one purpose. `context` is a constant of the program, `material` tells
    /// apart what shares the purpose.
    pub(crate) fn subkey(&self, context: &'static str, material: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.bytes);
        hasher.update(&(material.len() as u64).to_le_bytes());
        hasher.update(material);
        *hasher.finalize().as_bytes()
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskKey(id {})", self.id().0)
    }
}
