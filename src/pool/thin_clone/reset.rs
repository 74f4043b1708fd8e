//! Back to the snapshot, or to another one, in one step.

use std::time::Instant;

use zeroize::Zeroizing;

use super::create::session;
use super::{ThinClone, remove_generation, role};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::pool::Snapshot;
use crate::progress::Cancel;
use crate::storage::Writes;

impl ThinClone {
    /// Throws away everything written to the clone. Name, port, user and password stay; a clone that
    /// ran runs again. With `password`, that one counts from now on.
    ///
    /// A new generation is made beside the old one, and the clone's record is turned to it by one
    /// rename: a failure before that leaves the old state (running if it ran), a crash leaves the old
    /// or the new one, whole.
    pub fn reset(&self, password: Option<Zeroizing<String>>, cancel: &Cancel) -> Result<ThinClone> {
        let begun = Instant::now();
        let reset = || self.take_back(None, password, cancel, begun);
        self.pool.logged("clone reset", self.id(), reset)
    }

    /// The same, to another snapshot of the same major version: from then on it is a clone of that.
    pub fn reset_to(
        &self,
        snapshot: &str,
        password: Option<Zeroizing<String>>,
        cancel: &Cancel,
    ) -> Result<ThinClone> {
        let begun = Instant::now();
        let reset = || self.take_back(Some(snapshot), password, cancel, begun);
        self.pool.logged("clone reset", self.id(), reset)
    }

    fn take_back(
        &self,
        to: Option<&str>,
        password: Option<Zeroizing<String>>,
        cancel: &Cancel,
        begun: Instant,
    ) -> Result<ThinClone> {
        let (mut clone, _lock) = self.locked()?;
        if let Some(password) = &password {
            role::check_password(password)?;
        }
        let snapshot = match to {
            Some(wanted) => clone.aim_at(wanted)?,
            None => clone.snapshot()?,
        };
        let halted = clone.pool.driver.attach(&clone.volume()).and_then(|_| clone.halt());
        let ran = halted.inspect_err(|_| clone.forget_target())?;
        let old = clone.record.generation;
        let new = old + 1;
        // The log tells of it before it is so: after that nothing can take it back.
        let built = clone
            .build(&snapshot, new, password, cancel)
            .and_then(|()| Failpoint::GenerationBuilt.reach())
            .and_then(|()| {
                let told = [("name", clone.name()), ("snapshot", snapshot.id())];
                clone.pool.audit("clone reset", clone.id(), &told)
            });
        if let Err(error) = built {
            clone.forget_target();
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
        snapshot.id().clone_into(&mut clone.record.snapshot);
        clone.record.next_snapshot = None;
        clone.save()?;
        Failpoint::GenerationTurned.reach()?;
        // From here on it is reset, whatever happens.
        if ran {
            clone.run(begun)?;
        }
        remove_generation(clone.pool.driver.as_ref(), &clone.generation_dir(old))?;
        Ok(clone)
    }

    /// Notes what it is being reset to, so that nobody destroys that meanwhile.
    fn aim_at(&mut self, wanted: &str) -> Result<Snapshot> {
        let _guard = self.pool.lock()?;
        let snapshot = self.pool.snapshot(wanted)?;
        let manifest = snapshot.manifest();
        if manifest.major != self.record.major {
            return Err(Error::invalid(format!(
                "clone {} has PostgreSQL {}, snapshot {} has {}: make a new clone of that",
                self.name(),
                self.record.major,
                snapshot.name(),
                manifest.major
            )));
        }
        if !manifest.databases.is_empty() && !manifest.databases.contains(&self.record.database) {
            return Err(Error::NotFound { what: "database", name: self.record.database.clone() });
        }
        self.record.next_snapshot = Some(snapshot.id().to_owned());
        self.save()?;
        Ok(snapshot)
    }

    /// Takes the note back. If that fails, the next open does it.
    fn forget_target(&mut self) {
        if self.record.next_snapshot.take().is_some() {
            let _ = self.save();
        }
    }

    /// Makes a generation complete, on disk, with the role in it.
    fn build(
        &self,
        snapshot: &Snapshot,
        generation: u32,
        password: Option<Zeroizing<String>>,
        cancel: &Cancel,
    ) -> Result<()> {
        let writes = Writes::from_now(&self.dir)?;
        let binaries = self.binaries()?;
        let verifier = match password {
            Some(password) => role::verifier_of(&password),
            None => {
                let (data_dir, volume) = (self.data_dir(), self.volume());
                crate::cluster::server::forget_server(&data_dir)?;
                role::read_verifier(&session(&binaries, &data_dir, &volume), &self.record.user)?
            }
        };
        self.copy_volume(snapshot, generation, cancel)?;
        self.install_role(&binaries, generation, &verifier)?;
        writes.flush()
    }
}
