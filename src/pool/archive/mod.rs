//! Snapshots carried from one pool to another, in one file.
//!
//! It is a tar archive in a zstd stream with a checksum, so `tar --zstd -x` opens it. First comes
//! what lies beside the volume, byte for byte (the manifest is signed), then the volume. Nothing in it
//! depends on a driver; what belongs to a pool (tags, protection) stays there.

mod export;
mod import;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::pool::PublicKey;
use crate::pool::evidence::{FILES, SIGNATURE, SIGNER};
use crate::pool::leak_audit::SEALED;
use crate::progress::{Cancel, NoProgress, Progress};

pub use export::Exported;

/// The manifest comes first: what may follow depends on it.
const MANIFEST: &str = "manifest.json";
/// What else lies beside a volume.
const BESIDE: [&str; 4] = [SIGNATURE, SIGNER, FILES, SEALED];
/// The volume's place.
const VOLUME: &str = "volume";

/// How a snapshot is carried.
#[derive(Clone)]
pub struct MoveOptions {
    /// Another name for it in the new pool.
    pub name: Option<String>,
    /// Who has to have signed it.
    pub public_key: Option<PublicKey>,
    /// Stops it, and undoes it.
    pub cancel: Cancel,
    /// Watches it.
    pub progress: Arc<dyn Progress>,
}

impl Default for MoveOptions {
    fn default() -> MoveOptions {
        MoveOptions {
            name: None,
            public_key: None,
            cancel: Cancel::new(),
            progress: Arc::new(NoProgress),
        }
    }
}

impl std::fmt::Debug for MoveOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MoveOptions").field("name", &self.name).finish_non_exhaustive()
    }
}
