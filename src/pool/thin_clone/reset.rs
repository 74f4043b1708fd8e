//! Back to the snapshot, in one step.

use std::time::Instant;

use zeroize::Zeroizing;

use super::create::session;
use super::{ThinClone, remove_generation, role};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::progress::Cancel;
use crate::storage::sync_volume;

impl ThinClone {
    /// Throws away everything written to the clone. Name, port, user and password stay; a clone that
    /// ran runs again. With `password`, that one counts from now on.
    ///
    /// A new generation is made beside the old one, and the clone's record is turned to it by one
    /// rename: a failure before that leaves the old state (running if it ran), a crash leaves the old
    /// or the new one, whole.
    pub fn reset(&self, password: Option<Zeroizing<String>>, cancel: &Cancel) -> Result<ThinClone> {
        let begun = Instant::now();
        self.pool.logged("clone reset", self.id(), || self.take_back(password, cancel, begun))
    }

    fn take_back(
        &self,
        password: Option<Zeroizing<String>>,
        cancel: &Cancel,
        begun: Instant,
    ) -> Result<ThinClone> {
        let (mut clone, _lock) = self.locked()?;
        if let Some(password) = &password {
            role::check_password(password)?;
        }
        clone.pool.driver.attach(&clone.volume())?;
        let ran = clone.halt()?;
        let old = clone.record.generation;
        let new = old + 1;
        // The log tells of it before it is so: after that nothing can take it back.
        let built = clone
            .build(new, password, cancel)
            .and_then(|()| Failpoint::GenerationBuilt.reach())
            .and_then(|()| clone.pool.audit("clone reset", clone.id(), &[("name", clone.name())]));
        if let Err(error) = built {
            let dir = clone.generation_dir(new);
            if dir.exists() {
                let _ = remove_generation(clone.pool.driver.as_ref(), &dir);
            }
            if ran {
                clone.run(begun).map_err(|second| Error::Server {
                    what: format!("{error}; and the clone did not start again: {second}"),
                })?;
            }
            return Err(error);
        }
        clone.record.generation = new;
        clone.save()?;
        Failpoint::GenerationTurned.reach()?;
        // From here on it is reset, whatever happens.
        if ran {
            clone.run(begun)?;
        }
        remove_generation(clone.pool.driver.as_ref(), &clone.generation_dir(old))?;
        Ok(clone)
    }

    /// Makes a generation complete, on disk, with the role in it.
    fn build(
        &self,
        generation: u32,
        password: Option<Zeroizing<String>>,
        cancel: &Cancel,
    ) -> Result<()> {
        let binaries = self.binaries()?;
        let verifier = match password {
            Some(password) => role::verifier_of(&password),
            None => {
                let (data_dir, volume) = (self.data_dir(), self.volume());
                crate::cluster::server::forget_server(&data_dir)?;
                role::read_verifier(&session(&binaries, &data_dir, &volume), &self.record.user)?
            }
        };
        self.copy_volume(&self.snapshot()?, generation, cancel)?;
        self.install_role(&binaries, generation, &verifier)?;
        sync_volume(&self.generation_dir(generation).join("volume"))
    }
}
