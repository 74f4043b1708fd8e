//! What a snapshot can be held to: a hash of every file of its volume, and a signature over the
//! manifest that names it.
//!
//! Both are plain: `files.b3` is what `b3sum` writes and `b3sum --check` reads, and the signature is
//! over the very bytes of `manifest.json`, as `openssl pkeyutl -verify -rawin` checks it.

mod content;
mod signing;
mod verify;

use std::path::Path;

use crate::error::{Error, Result};

pub(super) use content::Content;
pub use signing::{PublicKey, SigningKey};
pub use verify::{ContentCheck, SignatureState, Verification};

/// The signature: 64 bytes.
pub(super) const SIGNATURE: &str = "manifest.json.sig";
/// The public key that it is by, for whoever checks with other tools.
pub(super) const SIGNER: &str = "signer.pem";
/// A line per file: its blake3 hash and its path in the volume.
pub(super) const FILES: &str = "files.b3";

/// Signs the manifest that lies in this directory. Nothing is synced.
pub(super) fn sign(dir: &Path, key: &SigningKey) -> Result<()> {
    let manifest = dir.join("manifest.json");
    let bytes = std::fs::read(&manifest).map_err(Error::io("read", &manifest))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).map_err(Error::io("write", &path))
    };
    write(SIGNATURE, &key.sign(&bytes))?;
    write(SIGNER, key.public().to_pem()?.as_bytes())
}
