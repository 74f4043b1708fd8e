//! The steps as types.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dropped::drop_databases;
use super::source::Source;
use super::{Clock, SnapshotOptions, Work, basebackup, directory, tablespaces};
use crate::audit::{AuditJob, AuditReport};
use crate::cluster::binaries::Binaries;
use crate::cluster::catalog::{Catalog, ClusterInfo, read_cluster, read_database};
use crate::cluster::server::PrivateServer;
use crate::cluster::{ControlFile, quote_literal, sql_error, superuser_names};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::fingerprint::{Gathered, Limits, SealKey};
use crate::finish::{FinishJob, FinishReport};
use crate::mask::MaskKey;
use crate::plan::{MaskPlan, plan};
use crate::pool::{Manifest, Pool, Snapshot, Staging, leak_audit};
use crate::progress::Stage;
use crate::rewrite::{RewriteJob, RewriteReport};
use crate::rules::RuleSet;
use crate::storage::{Watch, Writes, copy_file};

/// `invalid_authorization_specification`: no such role.
const NO_SUCH_ROLE: &str = "28000";
/// Settings of the source that what finishing computes depends on.
const SETTINGS_THAT_MATTER: [&str; 2] = ["default_statistics_target", "timezone"];

impl Pool {
    /// Copies a source into a staging volume and recovers it.
    pub fn stage(&self, source: &Source, options: SnapshotOptions) -> Result<Staged> {
        let from = source.to_string();
        self.logged(Stage::Stage.name(), &from, || {
            let staged = self.bring_in(source, options)?;
            let (pool, id) = staged.work.staging.place();
            pool.audit(Stage::Stage.name(), &id, &[("source", &from)])?;
            Ok(staged)
        })
    }

    fn bring_in(&self, source: &Source, options: SnapshotOptions) -> Result<Staged> {
        let clock = Clock::start(Stage::Stage, &options)?;
        if let Some(name) = &options.name {
            self.check_new_snapshot_name(name)?;
        }
        let staging;
        let binaries;
        let mut manifest;
        let name = options.name.clone().unwrap_or_default();
        match source {
            Source::Directory(path) => {
                let major = directory::inspect(path, self.driver.capabilities().freezes)?;
                binaries = Binaries::find(major, options.binaries.as_deref())?;
                // A damaged or foreign control file is told apart before anything is copied.
                ControlFile::read(path, major)?;
                staging = self.new_staging()?;
                manifest = Manifest::new(name, source.to_string(), major);
                directory::ingest(path, major, &staging, &options, &mut manifest)?;
            }
            Source::Server(connection) => {
                let server = basebackup::inspect(connection, &options)?;
                binaries = Binaries::find(server.major, options.binaries.as_deref())?;
                staging = self.new_staging()?;
                manifest = Manifest::new(name, source.to_string(), server.major);
                basebackup::ingest(
                    connection,
                    &server,
                    &binaries,
                    &staging,
                    &options,
                    &mut manifest,
                )?;
            }
        }
        Failpoint::Ingested.reach()?;
        Staged::recover(staging, options, binaries, manifest, clock)
    }
}

impl Staged {
    /// Recovers what is in a staging volume.
    pub(super) fn recover(
        staging: Staging,
        options: SnapshotOptions,
        binaries: Binaries,
        manifest: Manifest,
        clock: Clock,
    ) -> Result<Staged> {
        let control = ControlFile::read(&staging.data_dir(), manifest.major)?;
        let names = superuser_names(&staging.data_dir())?;
        let superuser = names.first().cloned().unwrap_or_else(|| "postgres".to_owned());
        let mut work = Work { staging, options, binaries, control, superuser, manifest };
        tablespaces::check_before_recovery(&work.staging.data_dir(), work.control.state)?;
        let server = PrivateServer::start(work.server(Vec::new()));
        // It says more than the server's own words do, where it is the reason.
        tablespaces::check_after_recovery(&work.staging.volume())?;
        let server = server?;
        let confinement = serde_json::to_value(server.confinement()).unwrap_or_default();
        work.manifest.extra.insert("confinement".to_owned(), confinement);
        work.manifest.extra.insert("detached".to_owned(), work.options.detach.into());
        work.superuser = find_superuser(&server, names)?;
        Failpoint::Recovered.reach()?;
        clock.stop(&work.options, &mut work.manifest);
        Ok(Staged { server, work, rolled_back: 0.into() })
    }
}

/// The first of `names` that may log in.
fn find_superuser(server: &PrivateServer, names: Vec<String>) -> Result<String> {
    let mut last = Error::invalid("pg_authid has no row for the superuser that initdb made");
    for name in names {
        match server.connect_as("template1", &name) {
            Ok(_) => return Ok(name),
            Err(Error::Sql { sqlstate, action, message }) if sqlstate == NO_SUCH_ROLE => {
                last = Error::Sql { action, message, sqlstate };
            }
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// A source in a staging volume, recovered; a private server runs on it.
pub struct Staged {
    // Dropped before the volume that it runs on.
    pub(super) server: PrivateServer,
    pub(super) work: Work,
    /// Prepared transactions that were rolled back.
    rolled_back: AtomicU64,
}

impl Staged {
    /// What the cluster holds, as its catalogs have it.
    pub fn catalog(&self) -> Result<Catalog> {
        self.read_catalog().map_err(|error| self.server.explain(error))
    }

    fn read_catalog(&self) -> Result<Catalog> {
        let connect = |database: &str| self.server.connect_as(database, &self.work.superuser);
        let cluster = read_cluster(&mut connect("template1")?)?;
        let mut databases = Vec::new();
        for info in &cluster.databases {
            self.work.options.cancel.check()?;
            if info.allows_connections {
                let mut client = connect(&info.name)?;
                let rolled_back = roll_back_prepared(&mut client, &info.name)?;
                self.rolled_back.fetch_add(rolled_back, Ordering::Relaxed);
                databases.push(read_database(&mut client, info)?);
            }
        }
        Ok(Catalog { cluster, databases })
    }

    /// Checks the rules against the catalog. Refuses with every reason at once.
    pub fn plan(self, rules: &RuleSet) -> Result<Planned> {
        let (pool, id) = self.work.staging.place();
        pool.logged(Stage::Plan.name(), &id, || self.check(rules))
    }

    fn check(self, rules: &RuleSet) -> Result<Planned> {
        let clock = Clock::start(Stage::Plan, &self.work.options)?;
        let mut catalog = self.catalog()?;
        let plan = plan(rules, &catalog)?;
        let Staged { server, mut work, rolled_back } = self;
        let rolled_back = rolled_back.into_inner();
        work.manifest.extra.insert("prepared_transactions_removed".to_owned(), rolled_back.into());
        if !plan.dropped.is_empty() {
            let mut client = server.connect_as("template1", &work.superuser)?;
            drop_databases(&mut client, &plan.dropped)?;
            catalog.cluster.databases.retain(|info| !plan.dropped.contains(&info.name));
            catalog.databases.retain(|database| !plan.dropped.contains(&database.info.name));
            let names = plan.dropped.clone().into();
            work.manifest.extra.insert("databases_dropped".to_owned(), names);
        }
        server.stop()?;
        Failpoint::Planned.reach()?;
        work.manifest.rules_hash.clone_from(&rules.hash);
        work.manifest.allow_preload.clone_from(&rules.allow_preload);
        let columns: std::collections::BTreeMap<_, _> =
            plan.databases.iter().map(|database| (&database.name, &database.columns)).collect();
        let columns = serde_json::to_value(columns)
            .map_err(|error| Error::invalid(format!("the list of columns: {error}")))?;
        work.manifest.extra.insert("columns".to_owned(), columns);
        // Databases that the rules name come first: they are what clones are for.
        let (mut named, others): (Vec<String>, Vec<String>) = catalog
            .databases
            .iter()
            .map(|database| database.info.name.clone())
            .partition(|name| rules.databases.contains_key(name));
        named.extend(others);
        work.manifest.databases = named;
        clock.stop(&work.options, &mut work.manifest);
        Ok(Planned { work, plan, cluster: catalog.cluster })
    }
}

/// A snapshot has no coordinator that could still commit them.
fn roll_back_prepared(client: &mut postgres::Client, database: &str) -> Result<u64> {
    let sql_error = |error: postgres::Error| {
        sql_error(format!("roll back prepared transactions in database {database}"), &error)
    };
    let query = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()";
    let mut rolled_back = 0;
    for row in client.query(query, &[]).map_err(sql_error)? {
        let gid: String = row.try_get(0).map_err(sql_error)?;
        let statement = format!("ROLLBACK PREPARED {}", quote_literal(&gid));
        client.batch_execute(&statement).map_err(sql_error)?;
        rolled_back += 1;
    }
    Ok(rolled_back)
}

/// A staged source whose rules have been checked. Nothing has been rewritten.
pub struct Planned {
    work: Work,
    plan: MaskPlan,
    cluster: ClusterInfo,
}

impl Planned {
    /// What will be done.
    pub fn mask_plan(&self) -> &MaskPlan {
        &self.plan
    }

    /// Masks every page of every planned relation.
    pub fn rewrite(self, key: &MaskKey) -> Result<Rewritten> {
        let Planned { mut work, plan, cluster } = self;
        work.manifest.key_id = key.id().0;
        let seal = (!key.is_ephemeral()).then(|| SealKey::new(key)).transpose()?;
        let report = work.stage(Stage::Rewrite, |work| {
            let pgdata = work.staging.data_dir();
            let control = ControlFile::read(&pgdata, work.manifest.major)?;
            let job = RewriteJob {
                shuffle_memory: work.options.shuffle_memory,
                toast_memory: work.options.toast_memory,
                pgdata: &pgdata,
                control: &control,
                plan: &plan,
                key,
                scratch: &work.staging.scratch_dir(),
                limits: Limits::default(),
                threads: work.options.threads,
                cancel: &work.options.cancel,
                progress: work.options.progress.as_ref(),
            };
            job.run()
        })?;
        let RewriteReport {
            values_masked,
            pages_scanned,
            pages_rewritten,
            fingerprints,
            small_domains,
            nulls,
            shuffled,
        } = report;
        let small_domains = serde_json::to_value(small_domains)
            .map_err(|error| Error::invalid(format!("the list of small domains: {error}")))?;
        work.manifest.extra.insert("small_domains".to_owned(), small_domains);
        let nulls = serde_json::to_value(nulls)
            .map_err(|error| Error::invalid(format!("what became NULL: {error}")))?;
        work.manifest.extra.insert("nulls".to_owned(), nulls);
        if !shuffled.is_empty() {
            let shuffled = serde_json::to_value(shuffled).map_err(|error| {
                Error::invalid(format!("the list of shuffled columns: {error}"))
            })?;
            work.manifest.extra.insert("shuffled".to_owned(), shuffled);
        }
        work.manifest.values_masked = values_masked;
        work.manifest.pages_scanned = pages_scanned;
        work.manifest.pages_rewritten = pages_rewritten;
        Failpoint::Rewritten.reach()?;
        // A deviation is an error: whoever comes this far has none.
        work.manifest.layout_deviations = 0;
        Ok(Rewritten { work, plan, cluster, fingerprints, seal, key: key.clone() })
    }
}

/// A staged source whose heaps are masked. Indexes and statistics still hold originals.
pub struct Rewritten {
    work: Work,
    plan: MaskPlan,
    cluster: ClusterInfo,
    fingerprints: Gathered,
    /// What fingerprints are sealed with, unless nobody could open that.
    seal: Option<SealKey>,
    /// For literals in code.
    key: MaskKey,
}

impl Rewritten {
    /// Rebuilds what derives from masked columns, removes what a masked cluster must not carry.
    pub fn finish(self) -> Result<Finished> {
        let Rewritten { mut work, plan, cluster, mut fingerprints, seal, key } = self;
        let report = work.stage(Stage::Finish, |work| {
            let aside = work.staging.volume().with_file_name("aside");
            let watch = Watch::silent(&work.options.cancel);
            let job = FinishJob {
                server: work.server(server_settings(work)),
                cluster: &cluster,
                plan: &plan,
                originals: &fingerprints,
                key: &key,
                aside: &aside,
                copy_file: &|from, to| copy_file(from, to, &watch),
                jobs: work.options.threads,
                cancel: &work.options.cancel,
                progress: work.options.progress.as_ref(),
            };
            job.run()
        })?;
        record_finish(&mut work.manifest, &report, &mut fingerprints)?;
        Failpoint::Finished.reach()?;
        Ok(Finished { work, plan, fingerprints, seal, report })
    }
}

/// What the manifest says of finishing. Originals that may stand in code are looked for no more.
pub(super) fn record_finish(
    manifest: &mut Manifest,
    report: &FinishReport,
    fingerprints: &mut Gathered,
) -> Result<()> {
    let extra = &mut manifest.extra;
    for (name, count) in [
        ("indexes_rebuilt", report.indexes_rebuilt),
        ("views_refreshed", report.views_refreshed),
        ("tables_analyzed", report.tables_analyzed),
    ] {
        extra.insert(name.to_owned(), count.into());
    }
    let removed = serde_json::to_value(&report.removed)
        .map_err(|error| Error::invalid(format!("the report of what was removed: {error}")))?;
    extra.insert("removed".to_owned(), removed);
    let anonymity = serde_json::to_value(&report.anonymity)
        .map_err(|error| Error::invalid(format!("the report of anonymity: {error}")))?;
    extra.insert("anonymity".to_owned(), anonymity);
    let objects = &report.literals.objects;
    if !objects.is_empty() {
        let accepted = report.literals.accepted.iter();
        let accepted = accepted.filter(|original| fingerprints.forget(**original)).count();
        extra.insert("literals_accepted".to_owned(), accepted.into());
        let objects = serde_json::to_value(objects)
            .map_err(|error| Error::invalid(format!("the list of literals: {error}")))?;
        extra.insert("literals".to_owned(), objects);
    }
    if !report.sequences.is_empty() {
        extra.insert("sequences".to_owned(), report.sequences.clone().into());
    }
    if !report.relayouts.is_empty() {
        extra.insert("layout_not_preserved".to_owned(), report.relayouts.clone().into());
    }
    Ok(())
}

/// What a server that rebuilds everything wants.
pub(super) fn server_settings(work: &Work) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = [
        // Runs that fit in a core's cache, merged from the page cache: sorting text in one large
        // array takes twice as long.
        ("maintenance_work_mem", "8MB"),
        ("shared_buffers", "256MB"),
        ("max_parallel_maintenance_workers", "0"),
        ("max_wal_size", "64GB"),
        ("checkpoint_timeout", "1d"),
        ("synchronous_commit", "off"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let source = &work.manifest.planner_settings;
    settings.extend(
        SETTINGS_THAT_MATTER
            .iter()
            .filter_map(|name| source.get(*name).map(|value| ((*name).to_owned(), value.clone()))),
    );
    settings
}

/// A masked cluster, cleanly stopped, that no longer needs anything of its source.
pub struct Finished {
    pub(super) work: Work,
    pub(super) plan: MaskPlan,
    pub(super) fingerprints: Gathered,
    /// What fingerprints are sealed with, unless nobody could open that.
    pub(super) seal: Option<SealKey>,
    pub(super) report: FinishReport,
}

impl Finished {
    /// Searches every file for original values. Refuses where one is found.
    pub fn audit(self) -> Result<Audited> {
        let Finished { mut work, plan, fingerprints, seal, report } = self;
        let audit = work.stage(Stage::Audit, |work| {
            let volume = work.staging.volume();
            if let Some(key) = &seal {
                leak_audit::seal(&volume, key, &fingerprints, &plan, &report.files)?;
            }
            let job = AuditJob {
                volume: &volume,
                plan: &plan,
                fingerprints,
                files: &report.files,
                threads: work.options.threads,
                cancel: &work.options.cancel,
                progress: work.options.progress.as_ref(),
            };
            std::thread::scope(|scope| {
                // The disk has time now; sealing syncs, and says whether it worked.
                scope
                    .spawn(|| Writes::from_now(&volume).is_ok_and(|writes| writes.flush().is_ok()));
                job.run()
            })
        })?;
        work.manifest.extra.insert("audit_again".to_owned(), seal.is_some().into());
        Failpoint::Audited.reach()?;
        Ok(Audited { work, audit })
    }
}

/// A masked cluster in which no original was found.
pub struct Audited {
    work: Work,
    audit: AuditReport,
}

impl Audited {
    /// Makes it a snapshot.
    pub fn seal(self) -> Result<Snapshot> {
        let Audited { mut work, audit } = self;
        work.manifest.residue.clone_from(&audit.residue);
        let audit = serde_json::to_value(&audit)
            .map_err(|error| Error::invalid(format!("the audit's report: {error}")))?;
        work.manifest.extra.insert("audit".to_owned(), audit);
        work.seal()
    }
}
