//! A copy of what a clone holds.

use std::path::Path;
use std::time::Instant;

use super::{ThinClone, tablespaces};
use crate::error::{Error, Result};
use crate::storage::Watch;

impl ThinClone {
    /// Copies its volume to one that stays as it is. Where the driver is not atomic, its server is
    /// stopped meanwhile. Failure: the clone is what it was; the copy may be there in part.
    pub(in crate::pool) fn branch(&self, to: &Path, watch: &Watch<'_>) -> Result<()> {
        let begun = Instant::now();
        let (mut clone, _lock) = self.locked()?;
        let pool = clone.pool.clone();
        let driver = pool.driver.as_ref();
        driver.attach(&clone.volume())?;
        let ran = !driver.capabilities().atomic && clone.halt()?;
        let copied = clone.copy_to(to, watch);
        if !ran {
            return copied;
        }
        let again = clone.run(begun);
        match copied {
            Ok(()) => again,
            Err(error) => {
                again.map_err(|second| Error::Server {
                    what: format!("{error}; and the clone did not start again: {second}"),
                })?;
                Err(error)
            }
        }
    }

    fn copy_to(&self, to: &Path, watch: &Watch<'_>) -> Result<()> {
        let (driver, volume) = (self.pool.driver.as_ref(), self.volume());
        tablespaces::own(&volume)?;
        if driver.capabilities().atomic {
            return driver.branch_volume(&volume, to, watch);
        }
        tablespaces::link_relative(&volume)?;
        let copied = driver.branch_volume(&volume, to, watch);
        // A server gets along with either kind.
        let again = tablespaces::link_absolute(&volume);
        copied.and(again)
    }
}
