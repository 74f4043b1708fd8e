//! Start, stop, destroy.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::create::elapsed_ms;
use super::{CloneState, Phase, ThinClone, config, port, sweep};
use crate::cluster::binaries::Binaries;
use crate::cluster::find_postmaster;
use crate::cluster::launch::Launch;
use crate::cluster::sandbox::{Owner, Sandbox};
use crate::cluster::server::forget_server;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::pool::Manifest;
use crate::progress::Cancel;

/// How long a clone's server may take to shut down before it is ended by force.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// What its server says, in the clone's directory.
const LOG: &str = "server.log";

impl ThinClone {
    /// Starts a stopped clone; a running one is left alone. Success: it accepts connections.
    pub fn start(&self) -> Result<ThinClone> {
        let begun = Instant::now();
        self.pool.logged("clone start", self.id(), || {
            let (mut clone, _lock) = self.locked()?;
            if clone.state()? == CloneState::Stopped {
                clone.run(begun)?;
                clone.pool.audit("clone start", clone.id(), &[("name", clone.name())])?;
            }
            Ok(clone)
        })
    }

    /// Stops a running clone; a stopped one is left alone. Its port stays its own.
    pub fn stop(&self) -> Result<ThinClone> {
        self.pool.logged("clone stop", self.id(), || {
            let (clone, _lock) = self.locked()?;
            if clone.halt()? {
                clone.pool.audit("clone stop", clone.id(), &[("name", clone.name())])?;
            }
            Ok(clone)
        })
    }

    /// Sessions of clients on its server, by the titles of its processes.
    pub fn sessions(&self) -> Result<usize> {
        Ok(find_postmaster(&self.data_dir())?.map_or(0, |server| server.sessions(self.name())))
    }

    /// When it was last used: now while it has sessions, else when its server last wrote to its log,
    /// which is told of every connection that begins or ends, and of starts and stops.
    pub fn last_used(&self) -> Result<Timestamp> {
        if self.sessions()? > 0 {
            return Ok(Timestamp::now());
        }
        let log = self.dir.join(LOG);
        let written = match std::fs::metadata(&log).and_then(|metadata| metadata.modified()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(self.record.created_at);
            }
            written => written.map_err(Error::io("look at", &log))?,
        };
        Timestamp::try_from(written)
            .map_err(|error| Error::invalid(format!("the age of {}: {error}", log.display())))
    }

    /// Stops and removes a clone, unless it is protected. A crash in the middle leaves remains that the next open removes.
    pub fn destroy(self) -> Result<()> {
        self.pool.logged("clone destroy", self.id(), || {
            let (mut clone, _lock) = self.locked()?;
            clone.kept().check_unprotected()?;
            clone.pool.audit("clone destroy", clone.id(), &[("name", clone.name())])?;
            clone.record.phase = Phase::Destroying;
            clone.save()?;
            Failpoint::CloneDestroying.reach()?;
            sweep(clone.pool.driver.as_ref(), &clone.dir)
        })
    }

    /// Starts the server and notes how long that took. The clone's lock is held.
    pub(super) fn run(&mut self, begun: Instant) -> Result<()> {
        self.pool.driver.attach(&self.volume())?;
        let snapshot = self.snapshot()?;
        let binaries = self.binaries()?;
        self.launch(snapshot.manifest(), &binaries, &Cancel::new(), |_| Ok(()))?;
        Failpoint::CloneStarted.reach()?;
        self.record.ready_ms = Some(elapsed_ms(begun));
        self.save()
    }

    /// Stops the server. True if it ran. The clone's lock is held.
    pub(super) fn halt(&self) -> Result<bool> {
        match find_postmaster(&self.data_dir())? {
            Some(server) => {
                server.stop(PATIENCE);
                Failpoint::CloneHalted.reach()?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Starts the server, waits until it accepts connections, and lets `check` try it. A server that
    /// does not get that far is ended. One that does outlives this process.
    ///
    /// [`Error::Busy`] if another program has the port.
    pub(super) fn launch(
        &self,
        manifest: &Manifest,
        binaries: &Binaries,
        cancel: &Cancel,
        check: impl FnOnce(&ThinClone) -> Result<()>,
    ) -> Result<()> {
        let data_dir = self.data_dir();
        let owner = Owner::of(&data_dir)?;
        if !port::is_free(self.record.port, &self.record.listen) {
            return Err(port::busy(self.record.port, None));
        }
        forget_server(&data_dir)?;
        let config_file = config::write(self, manifest, owner)?;
        let mut sandbox = Sandbox::new()
            .readable(&self.dir)
            .writable(self.volume())
            .writable(self.dir.join("run"));
        for path in self.record.tls.iter().flat_map(|tls| [&tls.cert, &tls.key]) {
            sandbox = sandbox.readable(path);
        }
        let mut server = Launch {
            binaries,
            data_dir: &data_dir,
            sandbox,
            log: &self.dir.join(LOG),
            settings: vec![("config_file".to_owned(), config_file.to_string_lossy().into_owned())],
        }
        .start()?;
        match server.wait_ready(cancel).and_then(|()| check(self)) {
            Ok(()) => {
                server.let_go();
                Ok(())
            }
            Err(error) => {
                server.kill();
                let taken = matches!(error, Error::Server { .. }) && server.port_was_taken();
                Err(if taken { port::busy(self.record.port, None) } else { error })
            }
        }
    }
}
