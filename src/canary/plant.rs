//! Planting: through a private server on the copy, then beside its files.

use std::path::{Path, PathBuf};

use postgres::Client;

use super::files::{COUNT, Files};
use super::kit::{Domains, KNOWN, SCHEMA, TABLES, domains, with_kit};
use super::places::{CATALOGS, CLUSTER, COMMENTS, ROW_FILTERS, Statement};
use super::{Canary, CanaryList, Place};
use crate::cluster::binaries::Binaries;
use crate::cluster::sandbox::Owner;
use crate::cluster::server::{PrivateServer, ServerOptions};
use crate::cluster::{ControlFile, quote_ident, quote_literal, sql_error, superuser_names};
use crate::error::{Error, Result};
use crate::ids::PgMajor;
use crate::pool::inspect_directory;
use crate::progress::Cancel;
use crate::rules::RuleSet;

/// What to plant canaries in.
#[derive(Debug)]
pub struct PlantJob<'a> {
    /// The data directory of a copy that can be thrown away; no server runs on it.
    pub data_dir: &'a Path,
    /// The rules that it will be masked by.
    pub rules: &'a RuleSet,
    /// Where PostgreSQL's programs are, if not in the usual places.
    pub binaries: Option<&'a Path>,
    /// Stops the work.
    pub cancel: &'a Cancel,
}

/// What was planted.
#[derive(Debug)]
pub struct Planted {
    /// Which canaries, and where.
    pub list: CanaryList,
    /// The rules, with those for the kit's own tables.
    pub rules: RuleSet,
    /// Domains for which there is no canary, as `database: mask (domain)`: a number or a date can
    /// not be told from chance.
    pub left_out: Vec<String>,
}

/// So many domains of each kind.
pub(super) fn draw(domains: usize) -> Result<Vec<Canary>> {
    (0..domains).map(|_| Canary::draw()).collect()
}

impl PlantJob<'_> {
    /// Plants canaries of every domain in every place. After an error the copy is good for nothing.
    pub fn run(&self) -> Result<Planted> {
        let data_dir = self.data_dir;
        let major = inspect_directory(data_dir, false)?;
        refuse_links(data_dir)?;
        let (domains, left_out) = domains(self.rules);
        if domains.is_empty() {
            return Err(Error::invalid("the rules mask no text: there is nothing to plant"));
        }
        let server = self.server(major)?;
        let (mut places, mut copies) = (Vec::new(), Vec::new());
        let mut first = None;
        for (number, of_database) in domains.iter().enumerate() {
            self.cancel.check()?;
            let mut planter = Planter::connect(&server, data_dir, of_database, major)?;
            planter.schema()?;
            if number == 0 {
                planter.cluster()?;
            }
            let canaries = planter.plant(number == 0)?;
            if number == 0 {
                let vacuumed = planter.file("thinveil_canary.holes")?.unwrap_or_default();
                first = Some((planter.numbers()?, vacuumed, canaries));
            }
            copies.extend(planter.file("thinveil_canary.known")?);
            places.append(&mut planter.places);
        }
        server.stop()?;
        if let Some(((database, relation), vacuumed, canaries)) = first {
            let owner = Owner::of(data_dir)?;
            let checksums = ControlFile::read(data_dir, major)?.checksums;
            let files =
                Files { data_dir, owner, database, relation, vacuumed, checksums, canaries };
            places.extend(files.plant()?);
        }
        Ok(Planted {
            list: CanaryList { version: CanaryList::VERSION, places, copies },
            rules: with_kit(self.rules, &domains),
            left_out,
        })
    }

    fn server(&self, major: PgMajor) -> Result<PrivateServer> {
        let data_dir = self.data_dir.to_path_buf();
        let parent = data_dir.parent().unwrap_or(Path::new("/"));
        let mut limits = ControlFile::read(&data_dir, major)?.limits;
        limits.max_prepared_transactions = limits.max_prepared_transactions.max(1);
        PrivateServer::start(ServerOptions {
            binaries: Binaries::find(major, self.binaries)?,
            volume: data_dir.clone(),
            private_dir: parent.join(format!(".thinveil-canary-{}", std::process::id())),
            superuser: superuser_names(&data_dir)?.into_iter().next().unwrap_or_default(),
            data_dir,
            limits,
            settings: Vec::new(),
            cancel: self.cancel.clone(),
        })
    }
}

/// Whatever is behind a link may be another cluster's.
fn refuse_links(data_dir: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(data_dir) {
        let entry = entry.map_err(|error| Error::io("read", data_dir)(error.into()))?;
        if entry.path_is_symlink() {
            return Err(Error::invalid(format!(
                "{} is a link: canaries go into a copy that is complete in itself",
                entry.path().display()
            )));
        }
    }
    Ok(())
}

/// Plants canaries in one database.
pub(super) struct Planter<'a> {
    client: Client,
    /// A snapshot that keeps what dies from being pruned.
    witness: Client,
    pub(super) domains: &'a Domains,
    pub(super) major: PgMajor,
    places: Vec<Place>,
    next_id: u32,
}

impl<'a> Planter<'a> {
    fn connect(
        server: &PrivateServer,
        data_dir: &Path,
        domains: &'a Domains,
        major: PgMajor,
    ) -> Result<Planter<'a>> {
        let connect = || -> Result<Client> {
            let mut last = Error::invalid(format!("{}: no superuser", data_dir.display()));
            for name in superuser_names(data_dir)? {
                match server.connect_as(&domains.database, &name) {
                    Ok(client) => return Ok(client),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let (client, witness) = (connect()?, connect()?);
        let mut planter =
            Planter { client, witness, domains, major, places: Vec::new(), next_id: 1 };
        planter.run("SET allow_system_table_mods = on")?;
        Ok(planter)
    }

    pub(super) fn run(&mut self, sql: &str) -> Result<()> {
        let action = || format!("plant canaries in database {}", self.domains.database);
        self.client.batch_execute(sql).map_err(|error| sql_error(action(), &error))
    }

    pub(super) fn value<T: for<'r> postgres::types::FromSql<'r>>(
        &mut self,
        query: &str,
    ) -> Result<T> {
        let action = format!("plant canaries in database {}", self.domains.database);
        let row = self.client.query_one(query, &[]);
        row.and_then(|row| row.try_get(0)).map_err(|error| sql_error(action, &error))
    }

    /// Where a relation's main fork is; all of them if it has none of its own.
    fn file(&mut self, relation: &str) -> Result<Option<PathBuf>> {
        let query = format!("SELECT pg_relation_filepath('{relation}'::regclass)");
        Ok(self.value::<Option<String>>(&query)?.map(PathBuf::from))
    }

    /// Remembers where canaries are: in `relation`, if that says more than the name.
    pub(super) fn note(
        &mut self,
        name: &str,
        relation: Option<&str>,
        canaries: &[Canary],
    ) -> Result<()> {
        let file = match relation {
            Some(relation) => self.file(relation)?,
            None => None,
        };
        self.places.push(Place {
            name: name.to_owned(),
            database: Some(self.domains.database.clone()),
            file,
            canaries: canaries.to_vec(),
        });
        Ok(())
    }

    /// New canaries in a new row of one of the kit's tables, with `behind` them: the row's number.
    pub(super) fn insert(&mut self, table: &str, canaries: &[Canary], behind: &str) -> Result<u32> {
        let id = self.next_id;
        self.next_id += 1;
        let values: Vec<_> = canaries.iter().map(|c| format!(", '{c}' || {behind}")).collect();
        let columns: Vec<_> = self.domains.columns();
        let columns = columns.join(", ");
        self.run(&format!(
            "INSERT INTO {SCHEMA}.{table} (id, {columns}) VALUES ({id}{})",
            values.concat()
        ))?;
        Ok(id)
    }

    pub(super) fn draw(&self) -> Result<Vec<Canary>> {
        draw(self.domains.rules.len())
    }

    /// Canaries for a place that is no row: one has a copy of them.
    pub(super) fn draw_known(&mut self) -> Result<Vec<Canary>> {
        let canaries = self.draw()?;
        self.insert(KNOWN, &canaries, "''")?;
        Ok(canaries)
    }

    /// The kit's schema and tables, with their indexes.
    fn schema(&mut self) -> Result<()> {
        let columns = self.domains.columns();
        let typed: Vec<_> = columns.iter().map(|name| format!(", {name} text")).collect();
        self.run(&format!("CREATE SCHEMA {SCHEMA}"))?;
        for table in TABLES {
            let kind = if table == "quick" { "UNLOGGED" } else { "" };
            // Extended statistics are on columns that repeat themselves.
            let key = if table == "frequent" { "" } else { "PRIMARY KEY" };
            self.run(&format!(
                "CREATE {kind} TABLE {SCHEMA}.{table} (id bigint {key}{})
                 WITH (autovacuum_enabled = off)",
                typed.concat()
            ))?;
        }
        for column in &columns {
            self.run(&format!(
                "ALTER TABLE {SCHEMA}.long ALTER {column} SET STORAGE EXTERNAL;
                 CREATE INDEX rows_spgist_{column} ON {SCHEMA}.rows USING spgist ({column});
                 CREATE INDEX rows_btree_{column} ON {SCHEMA}.rows ({column});
                 CREATE INDEX rows_expression_{column} ON {SCHEMA}.rows (lower({column}));
                 CREATE INDEX rows_include_{column} ON {SCHEMA}.rows (id) INCLUDE ({column});
                 CREATE INDEX rows_partial_{column} ON {SCHEMA}.rows ({column}) WHERE id > 0;
                 CREATE INDEX rows_hash_{column} ON {SCHEMA}.rows USING hash ({column});
                 CREATE INDEX rows_gin_{column} ON {SCHEMA}.rows
                     USING gin (to_tsvector('simple', {column}));
                 CREATE STATISTICS {SCHEMA}.seen_{column} (mcv) ON id, {column}
                     FROM {SCHEMA}.frequent"
            ))?;
        }
        Ok(())
    }

    /// Plants what belongs to the database; and, if they are asked for, draws canaries for files.
    fn plant(&mut self, with_files: bool) -> Result<Vec<Vec<Canary>>> {
        self.holes()?;
        self.toast()?;
        self.run_witness("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")?;
        self.rows()?;
        self.statistics()?;
        self.statements(&CATALOGS)?;
        if !self.domains.keeps_comments {
            self.statements(&COMMENTS)?;
        }
        self.large_objects()?;
        self.write_ahead_log()?;
        let files = (0..if with_files { COUNT } else { 0 }).map(|_| self.draw_known());
        let files = files.collect::<Result<_>>()?;
        self.prepared()?;
        self.run_witness("COMMIT")?;
        Ok(files)
    }

    fn run_witness(&mut self, sql: &str) -> Result<()> {
        self.witness.batch_execute(sql).map_err(|error| sql_error("keep dead rows", &error))
    }

    /// What all databases share.
    fn cluster(&mut self) -> Result<()> {
        self.run("CREATE ROLE thinveil_canary")?;
        self.statements(&CLUSTER)
    }

    fn statements(&mut self, all: &[Statement]) -> Result<()> {
        for (name, sql) in all {
            if *name == "dead_publication_filter" && self.major.number() < ROW_FILTERS {
                continue;
            }
            let mut canaries = self.draw_known()?;
            if sql.contains("{one}") {
                canaries.truncate(1);
            }
            let labels: Vec<_> = canaries.iter().map(|c| quote_literal(&c.to_string())).collect();
            let statement = sql
                .replace("{text}", &joined(&canaries))
                .replace("{one}", &joined(&canaries))
                .replace("{labels}", &labels.join(", "))
                .replace("{database}", &quote_ident(&self.domains.database));
            self.run(&statement)?;
            // Some only make the place before them a dead one.
            if ["{text}", "{labels}", "{one}"].iter().any(|canaries| sql.contains(canaries)) {
                self.note(name, None, &canaries)?;
            }
        }
        Ok(())
    }

    /// Where the rule set blanks them.
    fn large_objects(&mut self) -> Result<()> {
        if !self.domains.large_objects {
            return Ok(());
        }
        for (name, unlink) in [("large_object", false), ("dead_large_object", true)] {
            let canaries = self.draw_known()?;
            let text = joined(&canaries);
            let oid: u32 = self.value(&format!("SELECT lo_from_bytea(0, '{text}'::bytea)"))?;
            if unlink {
                self.run(&format!("SELECT lo_unlink({oid})"))?;
            }
            self.note(name, Some("pg_largeobject"), &canaries)?;
        }
        Ok(())
    }

    /// A table that is gone, but for what was logged of it.
    fn write_ahead_log(&mut self) -> Result<()> {
        let canaries = self.draw_known()?;
        let text = joined(&canaries);
        // Each by itself: a table made in the same transaction is not logged.
        for sql in [
            format!("CREATE TABLE {SCHEMA}.brief (t text)"),
            format!("INSERT INTO {SCHEMA}.brief VALUES ('{text}')"),
            format!("DROP TABLE {SCHEMA}.brief"),
        ] {
            self.run(&sql)?;
        }
        self.places.push(Place {
            name: "write_ahead_log".to_owned(),
            database: Some(self.domains.database.clone()),
            file: Some("pg_wal".into()),
            canaries,
        });
        Ok(())
    }

    /// A transaction that waits for its second phase.
    fn prepared(&mut self) -> Result<()> {
        let canaries = self.draw()?;
        self.run("BEGIN")?;
        self.insert("rows", &canaries, "''")?;
        let name = format!("thinveil_canary {}", self.domains.database);
        self.run(&format!("PREPARE TRANSACTION {}", quote_literal(&name)))?;
        self.note("prepared_transaction", None, &canaries)
    }

    /// The numbers of the database and of one of the kit's tables.
    fn numbers(&mut self) -> Result<(u32, u32)> {
        let database = "SELECT oid FROM pg_database WHERE datname = current_database()";
        let relation = format!("SELECT pg_relation_filenode('{SCHEMA}.rows'::regclass)");
        Ok((self.value(database)?, self.value(&relation)?))
    }
}

pub(super) fn joined(canaries: &[Canary]) -> String {
    canaries.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}
