//! What each verb does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::CommandFactory;
use indicatif::HumanBytes;
use serde_json::json;
use thinveil::Error;
use thinveil::cluster::sandbox::Confinement;
use thinveil::plan::suggest;
use thinveil::pool::{CloneRequest, GcPolicy, Pool, Snapshot, SnapshotOptions, Source, ThinClone};
use thinveil::progress::Cancel;
use thinveil::rules::RuleSet;

use crate::Failure;
use crate::args::{Arguments, CloneVerb, Key, Noun, PoolVerb, Rules, SnapshotVerb};
use crate::input::{read_key, read_password, read_rules, read_signing_key, read_text};
use crate::output::{Output, capabilities_text, confinement_text, lines, snapshot_text};
use crate::progress::Bars;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What all verbs share.
pub(crate) struct Context<'a> {
    pool: Option<PathBuf>,
    pub(crate) pg_bin: Option<PathBuf>,
    pub(crate) cancel: Cancel,
    pub(crate) output: &'a Output,
}

pub(crate) fn run(arguments: Arguments, output: &Output) -> Result<()> {
    let Arguments { pool, json: _, pg_bin, noun } = arguments;
    let context = Context { pool, pg_bin, cancel: cancel_on_signals()?, output };
    match noun {
        Noun::Key(Key::New { signing: false, file }) => context.new_key(file.as_deref()),
        Noun::Key(Key::New { signing: true, file }) => context.new_signing_key(file.as_deref()),
        Noun::Pool(verb) => context.pool_verb(&verb),
        Noun::Rules(verb) => context.rules(&verb),
        Noun::Snapshot(verb) => context.snapshot(verb),
        Noun::Clone(verb) => context.clone(verb),
        Noun::Audit(verb) => context.audit(verb),
        Noun::Canary(verb) => context.canary(&verb),
        Noun::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "thinveil", &mut script);
            let script = String::from_utf8_lossy(&script);
            output.result(&json!({ "script": script }), || script.to_string())
        }
    }
}

/// The first Ctrl-C asks the work to stop and to undo what it did; a second one ends the process.
fn cancel_on_signals() -> Result<Cancel> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let cancel = Cancel::new();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, cancel.flag())
            .and_then(|_| signal_hook::flag::register(signal, cancel.flag()))
            .map_err(Error::io("handle signals of", "this process"))?;
    }
    Ok(cancel)
}

impl Context<'_> {
    fn pool_dir(&self) -> Result<&Path> {
        self.pool.as_deref().ok_or_else(|| {
            Failure::Usage("which pool? Give --pool DIR, or set THINVEIL_POOL".to_owned())
        })
    }

    /// Opens the pool, and says what a crash had left.
    pub(crate) fn open(&self) -> Result<Pool> {
        let dir = self.pool_dir()?;
        let pool = Pool::open(dir).map_err(|error| match error {
            Error::NotFound { .. } => Failure::NoPool(dir.to_owned()),
            error => error.into(),
        })?;
        for problem in &pool.recovered().problems {
            eprintln!("thinveil: {problem}");
        }
        Ok(pool)
    }

    /// Opens the pool for a verb that starts servers, and says so if nothing confines them.
    pub(crate) fn open_for_servers(&self) -> Result<Pool> {
        if Confinement::offered() == Confinement::None {
            eprintln!("thinveil: {}", confinement_text(Confinement::None));
        }
        self.open()
    }

    /// Runs a verb that changes nothing in the pool; the log tells of it, and how it ended.
    pub(crate) fn read<T>(
        &self,
        verb: &str,
        object: &str,
        read: impl FnOnce(&Pool) -> thinveil::Result<T>,
    ) -> Result<T> {
        let pool = self.open()?;
        Ok(pool.reading(verb, object, || read(&pool))?)
    }

    fn pool_verb(&self, verb: &PoolVerb) -> Result<()> {
        match verb {
            PoolVerb::Init { driver, r#loop } => {
                let driver =
                    driver.parse().map_err(|error: Error| Failure::Usage(error.to_string()))?;
                let (pool, probe) = match r#loop {
                    Some(size) => Pool::init_in_file(self.pool_dir()?, size.0, driver)?,
                    None => Pool::init(self.pool_dir()?, driver)?,
                };
                let tried: Vec<_> = probe
                    .tried
                    .iter()
                    .filter_map(|tried| Some((tried.kind.name(), tried.why_not.as_deref()?)))
                    .collect();
                let value = json!({
                    "id": pool.id(), "dir": pool.dir(), "driver": probe.chosen,
                    "not_working": tried.iter().map(|(kind, why)| json!({"driver": kind, "why": why}))
                        .collect::<Vec<_>>(),
                });
                self.output.result(&value, || {
                    let mut text =
                        format!("pool {} with driver {}\n", pool.dir().display(), probe.chosen);
                    for (kind, why) in tried {
                        text.push_str(&format!("  {kind} does not work here: {why}\n"));
                    }
                    text
                })
            }
            PoolVerb::Status => {
                let status = self.read("pool status", "", Pool::status)?;
                self.output.result(&status, || {
                    lines(&[
                        ("pool", status.dir.display().to_string()),
                        ("driver", status.driver.to_string()),
                        ("", capabilities_text(status.capabilities)),
                        ("confinement", confinement_text(status.confinement).to_owned()),
                        ("snapshots", status.snapshots.to_string()),
                        ("clones", status.clones.to_string()),
                        ("being made", status.staging.to_string()),
                        ("own bytes", HumanBytes(status.usage.own_bytes).to_string()),
                        ("free", HumanBytes(status.free_bytes).to_string()),
                    ])
                })
            }
            PoolVerb::Gc { keep, older_than, idle, dry_run } => self.gc(GcPolicy {
                keep: *keep,
                older_than: older_than.map(|at| at.0),
                unused_since: idle.map(|at| at.0),
                dry_run: *dry_run,
            }),
            PoolVerb::Recover => {
                let pool = self.open()?;
                let recovered = pool.recovered();
                if recovered.is_empty() {
                    pool.audit("pool recover", pool.id(), &[])?;
                }
                self.output.result(recovered, || {
                    if recovered.is_empty() {
                        return "nothing to put right".to_owned();
                    }
                    let list = |names: &[String]| match names {
                        [] => "none".to_owned(),
                        names => names.join(" "),
                    };
                    lines(&[
                        ("staging removed", list(&recovered.staging_removed)),
                        ("clones removed", list(&recovered.clones_removed)),
                        ("clones tidied", list(&recovered.clones_tidied)),
                        ("mounted again", list(&recovered.attached)),
                        ("problems", list(&recovered.problems)),
                    ])
                })
            }
        }
    }

    pub(crate) fn options(&self, os_user: &str) -> SnapshotOptions {
        SnapshotOptions {
            binaries: self.pg_bin.clone(),
            os_user: os_user.to_owned(),
            cancel: self.cancel.clone(),
            progress: Arc::new(Bars::new()),
            ..SnapshotOptions::default()
        }
    }

    fn rules(&self, verb: &Rules) -> Result<()> {
        match verb {
            Rules::Suggest { source } => {
                let from = Source::parse(&source.source);
                let text = self.read("rules suggest", &from.to_string(), |pool| {
                    Ok(suggest(&pool.stage(&from, self.options(&source.os_user))?.catalog()?))
                })?;
                self.output.result(&json!({ "rules": text }), || text.clone())
            }
            Rules::Check { source, rules } => {
                let rules = read_rules(rules)?;
                let from = Source::parse(&source.source);
                let planned = self.read("rules check", &from.to_string(), |pool| {
                    pool.stage(&from, self.options(&source.os_user))?.plan(&rules)
                })?;
                let plan = planned.mask_plan();
                let relations = plan.databases.iter().flat_map(|database| &database.relations);
                let masked = relations.clone().filter(|relation| relation.is_masked()).count();
                let indexes: usize = plan.databases.iter().map(|d| d.indexes.len()).sum();
                let value = json!({
                    "rules_hash": rules.hash, "tables_masked": masked, "indexes_to_rebuild": indexes,
                });
                self.output.result(&value, || {
                    format!("no problem: {masked} tables to mask, {indexes} indexes to rebuild")
                })
            }
            Rules::Import { file, database } => {
                let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
                let rules = thinveil::rules::import(&file.to_string_lossy(), &text, database)?;
                self.output.result(&json!({ "rules": rules }), || rules.clone())
            }
        }
    }

    fn snapshot(&self, verb: SnapshotVerb) -> Result<()> {
        match verb {
            SnapshotVerb::Create {
                source,
                os_user,
                from_clone,
                rules,
                key,
                signing_key_file,
                name,
                detach,
                threads,
            } => {
                let signing_key = signing_key_file.as_deref().map(read_signing_key).transpose()?;
                let options = SnapshotOptions {
                    name,
                    threads,
                    signing_key,
                    detach,
                    ..self.options(&os_user)
                };
                if let Some(clone) = &from_clone {
                    return self.snapshot_of_clone(clone, key, options);
                }
                let key = read_key(&key)?;
                let pool = self.open_for_servers()?;
                let text = read_text(&rules.unwrap_or_default())?;
                let object = options.name.clone().unwrap_or_default();
                let rules =
                    pool.logged("snapshot create", &object, || RuleSet::from_toml(&text))?;
                let snapshot = pool
                    .stage(&Source::parse(&source.unwrap_or_default()), options)?
                    .plan(&rules)?
                    .rewrite(&key)?
                    .finish()?
                    .audit()?
                    .seal()?;
                let manifest = snapshot.manifest();
                self.output.result(manifest, || snapshot_text(manifest))
            }
            SnapshotVerb::List { tag } => self.list_snapshots(&tag),
            SnapshotVerb::Log => self.snapshot_log(),
            SnapshotVerb::Show { id } => self.show_snapshot(&id),
            SnapshotVerb::Export { id, file } => self.export(&id, &file),
            SnapshotVerb::Import { file, name, public_key } => {
                self.import(&file, name, public_key.as_deref())
            }
            SnapshotVerb::Tag { id, tags, remove } => self.tag_snapshot(&id, &tags, &remove),
            SnapshotVerb::Protect { id, until } => {
                self.care_for_snapshot("protect", &id, |snapshot| {
                    snapshot.protect(until.map(|at| at.0))
                })
            }
            SnapshotVerb::Unprotect { id } => {
                self.care_for_snapshot("unprotect", &id, Snapshot::unprotect)
            }
            SnapshotVerb::Audit { id, key_file, threads } => {
                self.leak_audit(&id, key_file, threads)
            }
            SnapshotVerb::Report { id, html } => self.report(&id, &html),
            SnapshotVerb::Verify { id, public_key } => self.verify(&id, public_key.as_deref()),
            SnapshotVerb::Destroy { id, cascade } => self.destroy_snapshot(&id, cascade),
        }
    }

    /// The clone that a verb is for. The log tells of a verb that named one that is not there.
    pub(crate) fn find(&self, verb: &str, id: &str, pool: Pool) -> Result<ThinClone> {
        Ok(pool.logged(verb, id, || pool.find_clone(id))?)
    }

    fn clone(&self, verb: CloneVerb) -> Result<()> {
        let show = |clone: &ThinClone| self.show_clone(clone);
        match verb {
            CloneVerb::Create {
                snapshot,
                name,
                port,
                ports,
                user,
                password_stdin,
                database,
                listen,
                tls_cert,
                tls_key,
                lease,
                count,
            } => {
                let request = CloneRequest {
                    name,
                    ports: port.map_or(ports, Into::into),
                    user,
                    password: password_stdin.then(read_password).transpose()?,
                    database,
                    listen,
                    tls_cert,
                    tls_key,
                    pg_bin: self.pg_bin.clone(),
                    lease_until: lease.map(|at| at.0),
                    cancel: self.cancel.clone(),
                    ..CloneRequest::default()
                };
                let pool = self.open_for_servers()?;
                let object = request.name.clone().unwrap_or_default();
                let snapshot = pool.logged("clone create", &object, || pool.snapshot(&snapshot))?;
                let made = snapshot.create_clones(&request, count.unwrap_or(1).into())?;
                self.show_created(&made, count.is_some())
            }
            CloneVerb::Renew { id, lease, forever: _ } => {
                self.care_for_clone("renew", &id, |clone| clone.renew(lease.map(|at| at.0)))
            }
            CloneVerb::Protect { id, until } => {
                self.care_for_clone("protect", &id, |clone| clone.protect(until.map(|at| at.0)))
            }
            CloneVerb::Unprotect { id } => {
                self.care_for_clone("unprotect", &id, ThinClone::unprotect)
            }
            CloneVerb::List => self.list_clones(),
            CloneVerb::Show { id } => {
                show(&self.read("clone show", &id, |pool| pool.find_clone(&id))?)
            }
            CloneVerb::Diff { id } => self.clone_diff(&id),
            CloneVerb::Start { id } => {
                show(&self.find("clone start", &id, self.open_for_servers()?)?.start()?)
            }
            CloneVerb::Stop { id } => show(&self.find("clone stop", &id, self.open()?)?.stop()?),
            CloneVerb::Reset { id, to, password_stdin } => {
                let password = password_stdin.then(read_password).transpose()?;
                let clone = self.find("clone reset", &id, self.open_for_servers()?)?;
                show(&match to {
                    Some(snapshot) => clone.reset_to(&snapshot, password, &self.cancel)?,
                    None => clone.reset(password, &self.cancel)?,
                })
            }
            CloneVerb::Destroy { id } => {
                let clone = self.find("clone destroy", &id, self.open()?)?;
                let id = clone.id().to_owned();
                clone.destroy()?;
                self.output.result(&json!({ "id": id, "destroyed": true }), || {
                    format!("destroyed clone {id}")
                })
            }
        }
    }
}
