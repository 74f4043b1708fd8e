//! Making keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;
use thinveil::Error;
use thinveil::mask::MaskKey;
use thinveil::pool::SigningKey;

use crate::commands::{Context, Result};

impl Context<'_> {
    pub(crate) fn new_key(&self, file: Option<&Path>) -> Result<()> {
        let key = MaskKey::generate()?;
        let hex = key.to_hex();
        let Some(path) = file else {
            return self
                .output
                .result(&json!({ "key": *hex, "key_id": key.id() }), || hex.to_string());
        };
        write_secret(path, &format!("{}\n", *hex))?;
        self.output.result(&json!({ "file": path, "key_id": key.id() }), || {
            format!("wrote {} (key id {})", path.display(), key.id().0)
        })
    }

    pub(crate) fn new_signing_key(&self, file: Option<&Path>) -> Result<()> {
        let key = SigningKey::generate()?;
        let pem = key.to_pem()?;
        let (id, public) = (key.public().id(), key.public().to_pem()?);
        let Some(path) = file else {
            let value = json!({ "key": *pem, "key_id": id, "public_key": public });
            return self.output.result(&value, || pem.to_string());
        };
        write_secret(path, &pem)?;
        self.output.result(&json!({ "file": path, "key_id": id, "public_key": public }), || {
            format!("wrote {} (key id {id}); its public half:\n{public}", path.display())
        })
    }
}

/// Writes a new file that only its owner can read.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(Error::io("write", path))?;
    Ok(())
}
