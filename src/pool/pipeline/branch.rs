//! A snapshot of what a clone holds: its data were masked before, so nothing is masked.

use std::path::Path;

use super::directory::tree_bytes;
use super::stages::{Finished, Staged, record_finish, server_settings};
use super::{Clock, SnapshotOptions, Work, copying};
use crate::cluster::catalog::{ClusterInfo, DatabaseInfo};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::fingerprint::{Collector, Gathered, Limits, SealKey};
use crate::finish::{FinishJob, FinishReport};
use crate::mask::MaskKey;
use crate::plan::{DatabasePlan, MaskPlan};
use crate::pool::manifest::Lineage;
use crate::pool::thin_clone::tablespaces;
use crate::pool::{Manifest, Pool, Snapshot};
use crate::progress::Stage;
use crate::storage::{Watch, copy_file};

/// What is known of the originals.
struct Originals {
    key: MaskKey,
    plan: MaskPlan,
    fingerprints: Gathered,
}

impl Pool {
    /// Makes a snapshot of what a clone holds now. Whatever was written there stays as it is; roles'
    /// passwords, WAL and the like go, as from every snapshot. With the key that masked it, it is
    /// searched for every original; without, for none.
    ///
    /// The clone goes on; where the driver is not atomic, its server is stopped while it is copied.
    /// Failure or crash: there is no snapshot, and the clone is what it was.
    pub fn snapshot_of_clone(
        &self,
        clone: &str,
        key: Option<&MaskKey>,
        options: SnapshotOptions,
    ) -> Result<Snapshot> {
        let (mut work, cluster, mut originals) = self.logged(Stage::Stage.name(), clone, || {
            let (staged, originals) = self.copy_clone(clone, key, options)?;
            let cluster = staged.catalog()?.cluster;
            let Staged { server, work, .. } = staged;
            server.stop()?;
            let (_, id) = work.staging.place();
            self.audit(Stage::Stage.name(), &id, &[("source", &work.manifest.source)])?;
            Ok((work, cluster, originals))
        })?;
        let report = work.stage(Stage::Finish, |work| finish(work, &cluster, &originals))?;
        record_finish(&mut work.manifest, &report, &mut originals.fingerprints)?;
        Failpoint::Finished.reach()?;
        if key.is_none() {
            return work.seal();
        }
        let Originals { key, plan, fingerprints } = originals;
        let seal = Some(SealKey::new(&key)?);
        Finished { work, plan, fingerprints, seal, report }.audit()?.seal()
    }

    fn copy_clone(
        &self,
        wanted: &str,
        key: Option<&MaskKey>,
        options: SnapshotOptions,
    ) -> Result<(Staged, Originals)> {
        let clock = Clock::start(Stage::Stage, &options)?;
        if let Some(name) = &options.name {
            self.check_new_snapshot_name(name)?;
        }
        let clone = self.find_clone(wanted)?;
        let parent = clone.snapshot()?;
        let staging = self.new_staging()?;
        let originals = match key {
            Some(key) => {
                let (fingerprints, context) = parent.unseal(key, &staging.scratch_dir())?;
                Originals { key: key.clone(), plan: context.plan, fingerprints }
            }
            None => Originals::unknown(&staging.scratch_dir())?,
        };
        let bytes = tree_bytes(&clone.volume());
        copying(&options, bytes, |watch| clone.branch(&staging.volume(), watch))?;
        tablespaces::link_relative(&staging.volume())?;
        let mut manifest = inherited(parent.manifest());
        manifest.name = options.name.clone().unwrap_or_default();
        manifest.source = format!("clone {} of snapshot {}", clone.name(), parent.name());
        manifest.raw_bytes = bytes;
        manifest.lineage = Some(Lineage::of(&clone, parent.manifest()));
        Failpoint::Ingested.reach()?;
        let staged = Staged::recover(staging, options, clone.binaries()?, manifest, clock)?;
        Ok((staged, originals))
    }
}

impl Originals {
    /// None, and none can be told.
    fn unknown(scratch: &Path) -> Result<Originals> {
        let key = MaskKey::ephemeral()?;
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let threads =
            threads.map_err(|error| Error::invalid(format!("can't start threads: {error}")))?;
        let nothing = Collector::new(&key, scratch, Limits::default());
        let fingerprints = nothing.gather(Vec::new(), &threads)?;
        Ok(Originals { key, plan: MaskPlan::default(), fingerprints })
    }

    /// What the plan still says of a database in which nothing is masked. Comments stay:
    /// production's are gone.
    fn plan_of(&self, info: &DatabaseInfo) -> DatabasePlan {
        let mut plan = DatabasePlan {
            oid: info.oid,
            name: info.name.clone(),
            keep_comments: true,
            ..DatabasePlan::default()
        };
        if let Some(before) = self.plan.databases.iter().find(|plan| plan.oid == info.oid) {
            plan.accepted_columns.clone_from(&before.accepted_columns);
            let moved = before.moved_columns().map(|(relation, _, attribute)| {
                format!("{}.{}.{}", relation.schema, relation.name, attribute.name)
            });
            plan.accepted_columns.extend(moved);
            plan.objects.clone_from(&before.objects);
        }
        plan
    }
}

/// What is true of a snapshot's descendants as well.
fn inherited(parent: &Manifest) -> Manifest {
    let mut manifest = Manifest::new("", "", parent.major);
    manifest.key_id.clone_from(&parent.key_id);
    manifest.rules_hash.clone_from(&parent.rules_hash);
    manifest.databases.clone_from(&parent.databases);
    manifest.planner_settings.clone_from(&parent.planner_settings);
    manifest.allow_preload.clone_from(&parent.allow_preload);
    let columns = parent.extra.get("columns").cloned();
    manifest.extra.extend(columns.map(|columns| ("columns".to_owned(), columns)));
    manifest
}

/// Removes what no snapshot carries.
fn finish(work: &Work, cluster: &ClusterInfo, originals: &Originals) -> Result<FinishReport> {
    let databases = cluster.databases.iter().map(|info| originals.plan_of(info));
    let plan = MaskPlan { databases: databases.collect(), ..MaskPlan::default() };
    let watch = Watch::silent(&work.options.cancel);
    let job = FinishJob {
        server: work.server(server_settings(work)),
        cluster,
        plan: &plan,
        originals: &originals.fingerprints,
        key: &originals.key,
        aside: &work.staging.volume().with_file_name("aside"),
        copy_file: &|from: &Path, to: &Path| copy_file(from, to, &watch),
        jobs: work.options.threads,
        cancel: &work.options.cancel,
        progress: work.options.progress.as_ref(),
    };
    job.run()
}
