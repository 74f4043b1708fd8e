//! Making a clone: from the call to the first answered query.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use postgres::NoTls;
use zeroize::Zeroizing;

use super::{
    CloneRecord, CloneRequest, Created, Phase, ThinClone, Tls, config, port, remove_generation,
    role, sweep, tablespaces,
};
use crate::cluster::binaries::Binaries;
use crate::cluster::sandbox::Owner;
use crate::cluster::server::{neutralize, session_options};
use crate::cluster::{SingleUser, sql_error};
use crate::error::{Error, Result};
use crate::failpoint::{Failpoint, Omission};
use crate::pool::lock::Lock;
use crate::pool::{Manifest, Pool, Snapshot, id, make_dir, record};
use crate::progress::Cancel;
use crate::storage::{Watch, Writes};

impl Snapshot {
    /// Makes a clone and starts it. Success: it has answered a query. Failure or crash: there is no
    /// clone, or remains that the next open removes.
    pub fn create_clone(&self, request: CloneRequest) -> Result<Created> {
        let begun = Instant::now();
        let object = request.name.clone().unwrap_or_else(|| self.id().to_owned());
        self.pool().logged("clone create", &object, || self.new_clone(&request, begun))
    }

    /// Makes so many clones, one after the other; of more than one, names end in `-1`, `-2`, ….
    ///
    /// Success: all of them. Failure: none, those that were made are destroyed again. A crash in the
    /// middle leaves those that were made, each whole.
    pub fn create_clones(&self, request: &CloneRequest, count: usize) -> Result<Vec<Created>> {
        if count > 1 && request.ports.is_single() {
            return Err(Error::invalid("several clones need several ports: give a range of them"));
        }
        let mut made: Vec<Created> = Vec::new();
        for number in 1..=count {
            let numbered = |name: &String| format!("{name}-{number}");
            let name = request
                .name
                .as_ref()
                .map(|name| if count > 1 { numbered(name) } else { name.clone() });
            match self.create_clone(CloneRequest { name, ..request.clone() }) {
                Ok(created) => made.push(created),
                Err(error) => {
                    for created in made {
                        // What went wrong first matters more.
                        let _ = created.clone.destroy();
                    }
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    fn new_clone(&self, request: &CloneRequest, begun: Instant) -> Result<Created> {
        let pool = self.pool();
        check(request, self.manifest())?;
        let (password, drawn) = match &request.password {
            Some(password) => (password.clone(), None),
            None => {
                let password = role::random_password()?;
                (password.clone(), Some(password))
            }
        };
        let (mut clone, _lock) = pool.reserve(self, request)?;
        let made = clone.make(self, request, &password, begun).and_then(|()| {
            Failpoint::CloneFinished.reach()?;
            let details = [
                ("name", clone.name()),
                ("snapshot", clone.snapshot_id()),
                ("port", &clone.record.port.to_string()),
                ("user", &clone.record.user),
            ];
            pool.audit("clone create", clone.id(), &details)
        });
        match made {
            Ok(()) => Ok(Created { clone, password: drawn }),
            Err(error) => {
                // What can't be removed now, the next open removes.
                let _ = sweep(pool.driver.as_ref(), &clone.dir);
                Err(error)
            }
        }
    }
}

impl Pool {
    /// A directory, a name and a port, taken under the pool's lock.
    fn reserve(&self, snapshot: &Snapshot, request: &CloneRequest) -> Result<(ThinClone, Lock)> {
        let _guard = self.lock()?;
        // It may have been destroyed since it was looked up.
        let manifest = self.snapshot(snapshot.id())?.manifest().clone();
        let records = self.clone_records()?;
        let id = id::fresh("c");
        let name = request.name.clone().unwrap_or_else(|| id.clone());
        if records.iter().any(|other| other.name == name || other.id == name) {
            return Err(Error::Busy {
                what: format!("a clone named {name:?} exists; give another name, or destroy it"),
            });
        }
        let port = port::choose(request.ports, &request.listen, &records, &[])?;
        let dir = self.clones_dir().join(&id);
        make_dir(&dir)?;
        let lock = Lock::wait(&dir.join("lock"), "the clone")?;
        let tls = request.tls_cert.clone().zip(request.tls_key.clone());
        let database = request
            .database
            .clone()
            .or_else(|| manifest.databases.first().cloned())
            .unwrap_or_else(|| "postgres".to_owned());
        let record = CloneRecord {
            id,
            name,
            snapshot: manifest.id.clone(),
            next_snapshot: None,
            phase: match Omission::Unfinished.is_made() {
                true => Phase::Finished,
                false => Phase::Creating,
            },
            generation: 1,
            major: manifest.major,
            port,
            user: request.user.clone(),
            database,
            listen: request.listen.clone(),
            tls: tls.map(|(cert, key)| Tls { cert, key }),
            pg_bin: request.pg_bin.clone(),
            settings: request.settings.clone(),
            created_at: jiff::Timestamp::now(),
            storage_ms: None,
            ready_ms: None,
        };
        let clone = ThinClone { pool: self.clone(), dir, record };
        record::write_unsynced(&clone.dir.join("clone.json"), &clone.record)?;
        Ok((clone, lock))
    }
}

impl ThinClone {
    fn make(
        &mut self,
        snapshot: &Snapshot,
        request: &CloneRequest,
        password: &Zeroizing<String>,
        begun: Instant,
    ) -> Result<()> {
        let writes = Writes::from_now(&self.dir)?;
        Failpoint::CloneReserved.reach()?;
        let manifest = snapshot.manifest();
        let (binaries, built) = rayon::join(
            || self.binaries(),
            || {
                let verifier = role::verifier_of(password);
                self.copy_volume(snapshot, 1, &request.cancel)
                    .map(|storage_ms| (verifier, storage_ms))
            },
        );
        let (binaries, (verifier, storage_ms)) = (binaries?, built?);
        self.record.storage_ms = Some(storage_ms);
        self.install_role(&binaries, 1, &verifier)?;

        let mut tried = Vec::new();
        loop {
            match self
                .launch(manifest, &binaries, &request.cancel, |clone| first_query(clone, password))
            {
                Err(Error::Busy { .. }) if !request.ports.is_single() => {
                    // Somebody took the port between our look and the server's.
                    tried.push(self.record.port);
                    let _guard = self.pool.lock()?;
                    let mut records = self.pool.clone_records()?;
                    records.retain(|record| record.id != self.record.id);
                    self.record.port =
                        port::choose(request.ports, &request.listen, &records, &tried)?;
                    record::write_unsynced(&self.dir.join("clone.json"), &self.record)?;
                }
                other => break other?,
            }
        }
        Failpoint::CloneLaunched.reach()?;
        self.record.ready_ms = Some(elapsed_ms(begun));
        self.kept().begin(request.lease_until)?;
        // From here on a power failure must find the clone whole.
        writes.flush()?;
        self.record.phase = Phase::Finished;
        let saved = self.save();
        if saved.is_err() {
            self.record.phase = Phase::Creating;
        }
        saved
    }

    /// Makes the volume of a generation, and takes from it what is another server's. Returns the
    /// milliseconds that the driver took.
    pub(super) fn copy_volume(
        &self,
        snapshot: &Snapshot,
        generation: u32,
        cancel: &Cancel,
    ) -> Result<u64> {
        let dir = self.generation_dir(generation);
        if dir.exists() {
            remove_generation(self.pool.driver.as_ref(), &dir)?;
        }
        make_dir(&dir)?;
        let volume = dir.join("volume");
        let begun = Instant::now();
        self.pool.driver.clone_volume(&snapshot.volume(), &volume, &Watch::silent(cancel))?;
        let storage_ms = elapsed_ms(begun);
        Failpoint::VolumeCloned.reach()?;
        let data_dir = volume.join("data");
        Owner::of(&data_dir)?.check_way_to(&data_dir)?;
        tablespaces::link_absolute(&volume)?;
        neutralize(&data_dir)?;
        Ok(storage_ms)
    }

    /// Puts the clone's role into a generation.
    pub(super) fn install_role(
        &self,
        binaries: &Binaries,
        generation: u32,
        verifier: &str,
    ) -> Result<()> {
        let volume = self.generation_dir(generation).join("volume");
        let data_dir = volume.join("data");
        role::install(&session(binaries, &data_dir, &volume), &self.record.user, verifier)?;
        Failpoint::RoleInstalled.reach()
    }

    pub(in crate::pool) fn binaries(&self) -> Result<Binaries> {
        Binaries::find(self.record.major, self.record.pg_bin.as_deref())
    }
}

/// A single-user session on a generation.
pub(super) fn session<'a>(
    binaries: &'a Binaries,
    data_dir: &'a Path,
    volume: &'a Path,
) -> SingleUser<'a> {
    let prepared = config::prepared_transactions(data_dir);
    let settings = vec![
        ("max_prepared_transactions".to_owned(), prepared.to_string()),
        ("wal_init_zero".to_owned(), "off".to_owned()),
    ];
    SingleUser { binaries, data_dir, volume, settings }
}

pub(super) fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Over TCP, with the password, as the user will; and it must be this clone that answers.
fn first_query(clone: &ThinClone, password: &str) -> Result<()> {
    let record = &clone.record;
    let action = || format!("connect to clone {}", record.name);
    let mut client = postgres::Config::new()
        .host("127.0.0.1")
        .port(record.port)
        .user(&record.user)
        .password(password)
        .dbname(&record.database)
        .application_name("thinveil")
        .connect_timeout(Duration::from_secs(30))
        .options(&session_options(record.major))
        .connect(NoTls)
        .map_err(|error| sql_error(action(), &error))?;
    let row = client
        .query_one("select pg_catalog.current_setting('data_directory')", &[])
        .map_err(|error| sql_error(action(), &error))?;
    let said: String = row.try_get(0).map_err(|error| sql_error(action(), &error))?;
    if Path::new(&said) == clone.data_dir() {
        Ok(())
    } else {
        Err(Error::Server { what: format!("another server answers on port {}", record.port) })
    }
}

/// Everything that can be said without touching the pool.
fn check(request: &CloneRequest, manifest: &Manifest) -> Result<()> {
    if let Some(name) = &request.name {
        id::check_name("clone", name)?;
    }
    role::check_user(&request.user)?;
    if let Some(password) = &request.password {
        role::check_password(password)?;
    }
    if let Some(database) = &request.database
        && !manifest.databases.is_empty()
        && !manifest.databases.contains(database)
    {
        return Err(Error::NotFound { what: "database", name: database.clone() });
    }
    if request.tls_cert.is_some() != request.tls_key.is_some() {
        return Err(Error::invalid("TLS needs both a certificate and its key"));
    }
    for path in [&request.tls_cert, &request.tls_key].into_iter().flatten() {
        if !path.is_absolute() {
            return Err(Error::invalid(format!("{}: give an absolute path", path.display())));
        }
        fs::metadata(path).map_err(Error::io("read", path))?;
    }
    let outside = request.listen.iter().any(|address| !address.is_loopback());
    if outside && request.tls_cert.is_none() {
        return Err(Error::invalid(
            "other hosts connect to a clone with TLS only: give a certificate and key (--tls-cert, \
             --tls-key), or leave out --listen",
        ));
    }
    Ok(())
}
