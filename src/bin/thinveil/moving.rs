//! Snapshots on their way from one pool to another.

use std::path::Path;
use std::sync::Arc;

use indicatif::HumanBytes;
use thinveil::pool::MoveOptions;

use crate::commands::{Context, Result};
use crate::input::read_public_key;
use crate::progress::Bars;

impl Context<'_> {
    fn move_options(&self) -> MoveOptions {
        MoveOptions {
            cancel: self.cancel.clone(),
            progress: Arc::new(Bars::new()),
            ..MoveOptions::default()
        }
    }

    pub(crate) fn export(&self, id: &str, file: &Path) -> Result<()> {
        let exported = self.open()?.export_snapshot(id, file, &self.move_options())?;
        self.output.result(&exported, || {
            format!(
                "wrote {}: {} of {}",
                exported.file.display(),
                HumanBytes(exported.archive_bytes),
                HumanBytes(exported.bytes)
            )
        })
    }

    pub(crate) fn import(
        &self,
        file: &Path,
        name: Option<String>,
        public_key: Option<&str>,
    ) -> Result<()> {
        let public_key = public_key.map(read_public_key).transpose()?;
        let options = MoveOptions { name, public_key, ..self.move_options() };
        let snapshot = self.open()?.import_snapshot(file, &options)?;
        self.show_with_care(&snapshot, &snapshot.care()?)
    }
}
