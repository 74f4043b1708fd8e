//! After the rewrite: what derives from masked columns is rebuilt from masked data, and what a
//! masked cluster must not carry is removed.
//!
//! The private server works on the volume a second time. It gets copies of the masked heaps, so
//! that the proven files stay as they are.

mod catalogs;
mod credentials;
mod deleted_rows;
mod file_map;
mod indexes;
mod kept_heaps;
mod literals;
mod purge;
mod relayout;
mod risk;
mod sequences;
mod session;
mod statistics;
mod views;
mod wal;

use std::collections::BTreeMap;
use std::path::Path;

pub use kept_heaps::CopyFile;
pub use literals::{Literals, ObjectLiterals};
pub use risk::Anonymity;

use crate::cluster::catalog::{ClusterInfo, DatabaseInfo};
use crate::cluster::server::{PrivateServer, ServerOptions};
use crate::cluster::{ControlFile, FileMap};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::fingerprint::Gathered;
use crate::mask::MaskKey;
use crate::plan::{DatabasePlan, MaskPlan};
use crate::progress::{Cancel, Progress, Stage};
use crate::removal::Removal;

use catalogs::FreeText;
use deleted_rows::Horizon;
use kept_heaps::KeptHeaps;
use session::Session;

/// What to finish, and with what.
pub struct FinishJob<'a> {
    /// How to run the private server.
    pub server: ServerOptions,
    /// The cluster's databases.
    pub cluster: &'a ClusterInfo,
    /// What was masked.
    pub plan: &'a MaskPlan,
    /// Original values of masked columns, to be looked for in code.
    pub originals: &'a Gathered,
    /// The key, for literals in code that are to be masked.
    pub key: &'a MaskKey,
    /// A directory to be, on the volume's file system and outside of the volume.
    pub aside: &'a Path,
    /// How files are copied there.
    pub copy_file: CopyFile<'a>,
    /// Indexes rebuilt at once; 0 for as many as there are cores.
    pub jobs: usize,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches the work; counts steps.
    pub progress: &'a dyn Progress,
}

/// What was done.
#[derive(Debug)]
pub struct FinishReport {
    /// Indexes rebuilt.
    pub indexes_rebuilt: u64,
    /// Tables rebuilt through SQL, whose layout is not the source's: `database.schema.table`.
    pub relayouts: Vec<String>,
    /// Sequences of masked columns, whose counters stay: `database.schema.sequence`.
    pub sequences: Vec<String>,
    /// Materialized views refreshed.
    pub views_refreshed: u64,
    /// Tables whose statistics were made anew.
    pub tables_analyzed: u64,
    /// What was removed.
    pub removed: Removed,
    /// Originals in code, and what became of them.
    pub literals: Literals,
    /// How well people hide among each other.
    pub anonymity: Vec<Anonymity>,
    /// Which file belongs to which relation, for the audit.
    pub files: FileMap,
}

/// What a masked cluster must not carry, in counts.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Removed {
    /// Passwords of roles.
    pub passwords: u64,
    /// Connection strings of subscriptions, which are disabled.
    pub subscriptions: u64,
    /// Roles and databases that lost settings: preloaded libraries, applications' own.
    pub settings: u64,
    /// Options of foreign servers, their tables and columns, and user mappings.
    pub foreign_options: u64,
    /// Comments.
    pub comments: u64,
    /// Security labels.
    pub security_labels: u64,
    /// Files by kind.
    pub files: BTreeMap<&'static str, u64>,
    /// Files that PostgreSQL does not know, by path.
    pub unknown_files: Vec<String>,
}

/// Counts steps for [`Progress`].
struct Steps<'a> {
    progress: &'a dyn Progress,
    done: std::sync::atomic::AtomicU64,
    total: u64,
}

impl Steps<'_> {
    fn step(&self) {
        let done = self.done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        self.progress.update(Stage::Finish, done.min(self.total), self.total);
    }
}

impl FinishJob<'_> {
    /// Finishes the cluster and stops it cleanly. After an error it is good for nothing.
    pub fn run(self) -> Result<FinishReport> {
        let pgdata = self.server.data_dir.clone();
        let major = self.cluster.major;
        let control = ControlFile::read(&pgdata, major)?;
        let kept = KeptHeaps::set_aside(
            self.plan,
            &pgdata,
            &control,
            self.aside,
            self.copy_file,
            self.cancel,
        )?;
        let server = PrivateServer::start(self.server.clone())?;
        Failpoint::FinishServer.reach()?;
        let (mut report, horizon) = self.in_server(&server).map_err(|error| {
            // A cancelled query fails; what the caller did is the reason.
            if self.cancel.is_cancelled() { Error::Cancelled } else { server.explain(error) }
        })?;
        server.stop()?;
        kept.put_back(self.aside, self.copy_file)?;
        let control = ControlFile::read(&pgdata, major)?;
        horizon.prove(&pgdata, &control, &report.files)?;
        let purged = purge::purge(&pgdata, &control, &report.files, self.cancel)?;
        report.removed.files = purged.files;
        report.removed.unknown_files = purged.unknown;
        Ok(report)
    }

    fn in_server(&self, server: &PrivateServer) -> Result<(FinishReport, Horizon)> {
        let per_database =
            |plan: &DatabasePlan| plan.indexes.len() + plan.materialized_views.len() + 2;
        let steps = Steps {
            progress: self.progress,
            done: 0.into(),
            total: self.plan.databases.iter().map(per_database).sum::<usize>() as u64 + 1,
        };
        let literals = literals::settle(server, self)?;
        let databases: Vec<&DatabaseInfo> =
            self.cluster.databases.iter().filter(|info| info.allows_connections).collect();
        let first = databases.first().ok_or_else(|| Error::invalid("no database to connect to"))?;
        let session_of_first = || Session::open(server, &first.name, self.cancel);
        let mut session = session_of_first()?;
        let scrubbed = credentials::scrub_shared(&mut session)?;
        let mut text = catalogs::remove_shared_text(&mut session)?;
        drop(session);
        let mut done = Done::default();
        for one in self.in_lanes(&databases, |info| self.in_database(server, info, &steps))? {
            done.add(one);
        }
        // Only when all of that is committed: a transaction that is still open in any database,
        // a long rebuild of an index say, is one for whose sake `VACUUM FULL` in every other
        // carries over the rows that were deleted meanwhile.
        let mut session = session_of_first()?;
        let horizon = Horizon::now(&mut session)?;
        catalogs::write_shared_anew(&mut session)?;
        drop(session);
        steps.step();
        self.in_lanes(&databases, |info| {
            let mut session = Session::open(server, &info.name, self.cancel)?;
            catalogs::write_anew(&mut session)?;
            steps.step();
            Ok(())
        })?;
        text.add(done.text);
        let mut files = FileMap::default();
        for info in &databases {
            let mut session = Session::open(server, &info.name, self.cancel)?;
            file_map::read(&mut session, info, self.plan, &mut files)?;
        }
        file_map::directories(&self.server.data_dir, self.cluster, &mut files)?;
        let report = FinishReport {
            indexes_rebuilt: self.plan.databases.iter().map(|plan| plan.indexes.len() as u64).sum(),
            relayouts: done.relayouts,
            sequences: done.sequences,
            views_refreshed: done.views_refreshed,
            tables_analyzed: done.tables_analyzed,
            literals,
            anonymity: done.anonymity,
            removed: Removed {
                passwords: scrubbed.passwords,
                subscriptions: scrubbed.subscriptions,
                settings: scrubbed.settings,
                foreign_options: done.foreign_options,
                comments: text.comments,
                security_labels: text.labels,
                ..Removed::default()
            },
            files,
        };
        Ok((report, horizon))
    }

    fn plan_of(&self, info: &DatabaseInfo) -> Option<&DatabasePlan> {
        self.plan.databases.iter().find(|plan| plan.oid == info.oid)
    }

    /// Does the same in every database: in those without a masked column, which have little to do,
    /// beside the others.
    fn in_lanes<T: Send>(
        &self,
        databases: &[&DatabaseInfo],
        work: impl Fn(&DatabaseInfo) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let lane = |planned: bool| -> Result<Vec<T>> {
            let mine = databases.iter().filter(|info| self.plan_of(info).is_some() == planned);
            mine.map(|info| self.cancel.check().and_then(|()| work(info))).collect()
        };
        let (planned, others) = std::thread::scope(|scope| {
            let others = scope.spawn(|| lane(false));
            let planned = lane(true);
            let panicked = |_| Err(Error::invalid("a worker of finishing panicked"));
            (planned, others.join().unwrap_or_else(panicked))
        });
        let mut all = planned?;
        all.extend(others?);
        Ok(all)
    }

    /// What is done in one database, whatever is done in others meanwhile; old row versions stay.
    fn in_database(
        &self,
        server: &PrivateServer,
        info: &DatabaseInfo,
        steps: &Steps<'_>,
    ) -> Result<Done> {
        let mut done = Done::default();
        let mut session = Session::open(server, &info.name, self.cancel)?;
        let plan = self.plan_of(info);
        if let Some(plan) = plan {
            let sizes = statistics::RelationSizes::read(&mut session, plan)?;
            done.relayouts = relayout::rebuild(&mut session, plan)?;
            if !Removal::Indexes.is_off() {
                indexes::rebuild(server, plan, self.jobs, self.cancel, steps)?;
            }
            if !Removal::MaterializedViews.is_off() {
                done.views_refreshed = views::refresh(&mut session, plan, steps)?;
            }
            if !Removal::Statistics.is_off() {
                done.tables_analyzed = statistics::renew(&mut session, plan)?;
            }
            done.anonymity.extend(risk::measure(&mut session, plan)?);
            done.sequences = sequences::over_masked(&mut session, plan)?;
            steps.step();
            sizes.restore(&mut session)?;
        }
        done.foreign_options = credentials::scrub_database(&mut session)?;
        let keep_comments = plan.is_some_and(|plan| plan.keep_comments);
        done.text = catalogs::remove_text(&mut session, keep_comments)?;
        Ok(done)
    }
}

/// What was done in one database, or in several.
#[derive(Default)]
struct Done {
    relayouts: Vec<String>,
    sequences: Vec<String>,
    views_refreshed: u64,
    tables_analyzed: u64,
    anonymity: Vec<Anonymity>,
    foreign_options: u64,
    text: FreeText,
}

impl Done {
    fn add(&mut self, other: Done) {
        self.relayouts.extend(other.relayouts);
        self.sequences.extend(other.sequences);
        self.views_refreshed += other.views_refreshed;
        self.tables_analyzed += other.tables_analyzed;
        self.anonymity.extend(other.anonymity);
        self.foreign_options += other.foreign_options;
        self.text.add(other.text);
    }
}
