//! The command line's shape and its help texts.

mod clone;
mod size;
mod snapshot;
mod time;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

pub(crate) use clone::CloneVerb;
pub(crate) use snapshot::SnapshotVerb;
pub(crate) use time::Moment;

use size::Size;

const EXAMPLES: &str = "\
Examples:
  thinveil key new --file mask.key
  thinveil --pool /srv/pool pool init
  thinveil --pool /srv/pool rules suggest --source /var/lib/postgresql/15/main > rules.toml
  thinveil --pool /srv/pool snapshot create --source /var/lib/postgresql/15/main \\
      --rules rules.toml --key-file mask.key --name monday
  thinveil --pool /srv/pool clone create --snapshot monday --name alice

Exit status:
  0 done   1 failed   2 usage   3 refused, every reason listed   4 not found   5 busy";

/// Masked snapshots and thin clones of PostgreSQL data directories.
#[derive(Debug, Parser)]
#[command(name = "thinveil", version, after_help = EXAMPLES, arg_required_else_help = true, args_override_self = true)]
pub(crate) struct Arguments {
    /// The pool: the directory that holds snapshots and clones.
    #[arg(long, global = true, env = "THINVEIL_POOL", value_name = "DIR")]
    pub(crate) pool: Option<PathBuf>,
    /// Print exactly one JSON document on standard output; progress goes to standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where PostgreSQL's programs are, if not in the usual places.
    #[arg(long, global = true, env = "THINVEIL_PG_BIN", value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Make masking keys.
    #[command(subcommand)]
    Key(Key),
    /// Make, look at and repair pools.
    #[command(subcommand)]
    Pool(PoolVerb),
    /// Write and check rule files.
    #[command(subcommand)]
    Rules(Rules),
    /// Make, look at and destroy masked snapshots.
    #[command(subcommand)]
    Snapshot(SnapshotVerb),
    /// Make, look at and destroy clones of snapshots.
    #[command(subcommand)]
    Clone(CloneVerb),
    /// Read, check and prune the log of what was done to the pool.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Plant values of your own in a copy of a cluster, and see that its snapshot has none of them.
    #[command(subcommand)]
    Canary(CanaryVerb),
    /// Print a script that completes command lines in a shell.
    #[command(
        after_help = "Example:\n  thinveil completions bash > /etc/bash_completion.d/thinveil"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Draw a new key: 64 hexadecimal digits. Whoever has it can tell whose masked value is whose.
    #[command(
        after_help = "Examples:\n  thinveil key new --file mask.key\n  thinveil key new --signing --file sign.pem"
    )]
    New {
        /// Draw a key that signs snapshots instead: Ed25519, in PEM. Tells its public half.
        #[arg(long)]
        signing: bool,
        /// Write it to a new file that only you can read, instead of to standard output.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolVerb {
    /// Make an empty or missing directory a pool.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool pool init\n  thinveil --pool /srv/pool pool init --driver overlay\n  thinveil --pool /srv/pool pool init --loop 200G\n\nDrivers:\n  zfs       datasets and their clones, one step each: ZFS, needs root and the feature zfs\n  btrfs     subvolumes and their snapshots, one step each: btrfs\n  reflink   files share extents: XFS, btrfs\n  overlay   an overlay mount on the snapshot: any file system, needs root\n  copy      full copies: anything\n  auto      the first of these that works there, found by trying\n\nWith --loop, the pool is an XFS in a sparse file in its directory, mounted over that. It takes\nthe room it needs up to SIZE; let the file system below not fill up before it does. After a\nreboot the next verb that root runs mounts it again."
    )]
    Init {
        /// How clones share blocks with their snapshot: auto, zfs, btrfs, reflink, overlay or copy.
        #[arg(long, default_value = "auto")]
        driver: String,
        /// Put the pool into a file of this size, which shares blocks though the file system does
        /// not: a number of bytes, or of K, M, G or T (powers of 1024). Needs root and xfsprogs.
        #[arg(long, value_name = "SIZE")]
        r#loop: Option<Size>,
    },
    /// Count what is in the pool.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool pool status --json")]
    Status,
    /// Remove what may go: clones whose lease has ended or that nobody uses, and snapshots by number
    /// and age. Never what is protected or in use, nor the newest snapshot.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool pool gc --dry-run\n  thinveil --pool /srv/pool pool gc --keep 7 --older-than 30d --idle 3d\n\nWith --keep and --older-than, snapshots go to which both apply. A snapshot stays while it has\nclones that stay. A clone with sessions stays, though its lease has ended."
    )]
    Gc {
        /// Keep the newest so many snapshots.
        #[arg(long, value_name = "N")]
        keep: Option<usize>,
        /// Only snapshots made before: an age (30d, 2y), a date or a time.
        #[arg(long, value_name = "WHEN")]
        older_than: Option<Moment>,
        /// Clones too that nobody has used since: an age (12h, 3d), a date or a time. A connection
        /// that begins or ends is use, and so is a start, a stop or a reset.
        #[arg(long, value_name = "WHEN")]
        idle: Option<Moment>,
        /// Tell what would go, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Put right what a crash or a reboot left. Every other verb does so first by itself.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool pool recover")]
    Recover,
}

#[derive(Debug, Args)]
pub(crate) struct SourceArguments {
    /// A data directory that no server runs on (or, running or not, with driver zfs a dataset, with
    /// driver btrfs a subvolume of the pool's file system), or the connection string of a live server.
    #[arg(long, value_name = "DIR|CONNINFO")]
    pub(crate) source: String,
    /// Who owns the data that pg_basebackup brings, when run as root.
    #[arg(long, value_name = "USER", default_value = "postgres")]
    pub(crate) os_user: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Print a complete rule file to start from, by names and types of columns.
    #[command(
        after_help = "Example:\n  thinveil --pool /srv/pool rules suggest --source /var/lib/postgresql/15/main > rules.toml\n\nThe source is staged in the pool for as long as its catalogs are read."
    )]
    Suggest {
        #[command(flatten)]
        source: SourceArguments,
    },
    /// Check a rule file against a source, and list every problem.
    #[command(
        after_help = "Example:\n  thinveil --pool /srv/pool rules check --source /var/lib/postgresql/15/main --rules rules.toml\n\nThe source is staged in the pool for as long as its catalogs are read."
    )]
    Check {
        #[command(flatten)]
        source: SourceArguments,
        /// The rule file.
        #[arg(long, value_name = "FILE")]
        rules: PathBuf,
    },
    /// Translate another tool's rules: SECURITY LABELs of PostgreSQL Anonymizer (.sql), or a
    /// Greenmask configuration (.yml).
    #[command(
        after_help = "Examples:\n  thinveil rules import labels.sql --database shop > rules.toml\n  thinveil rules import greenmask.yml --database shop > rules.toml"
    )]
    Import {
        /// The file.
        file: PathBuf,
        /// The database that the rules are for.
        #[arg(long, value_name = "NAME", default_value = "postgres")]
        database: String,
    },
}

#[derive(Debug, Args)]
#[group(required = false, multiple = false)]
pub(crate) struct KeyArguments {
    /// A file with the key in 64 hexadecimal digits (see `thinveil key new`).
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Draw a key and forget it: nobody can ever relate masked values to anything.
    #[arg(long)]
    pub(crate) ephemeral_key: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// List the log's lines, oldest first: who did what, when, and how it ended.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool audit log --since 7d --verb 'snapshot create'\n  thinveil --pool /srv/pool audit log --verb clone --outcome refused --json\n  thinveil --pool /srv/pool audit log --last 20"
    )]
    Log {
        /// Only this verb (`clone create`), or all verbs of a noun (`clone`).
        #[arg(long)]
        verb: Option<String>,
        /// Only what was done to this id, name or source.
        #[arg(long)]
        object: Option<String>,
        /// Only what ended so: done, refused, failed, cancelled, busy, 'not found'.
        #[arg(long)]
        outcome: Option<String>,
        /// Only what this operating system user did.
        #[arg(long, value_name = "UID")]
        uid: Option<u32>,
        /// Only what was done since: a date, a time (2026-05-01T12:00:00Z), or an age (7d, 12h).
        #[arg(long, value_name = "WHEN")]
        since: Option<Moment>,
        /// Only what was done before.
        #[arg(long, value_name = "WHEN")]
        until: Option<Moment>,
        /// Only the last so many of these.
        #[arg(long, value_name = "N")]
        last: Option<usize>,
    },
    /// Follow the log's chain from end to end, and name the first link that does not hold.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool audit verify\n  thinveil --pool /srv/pool audit verify --seen 5f0c…\n\nIt prints the hash of the last line. Kept outside of the pool and given back with --seen, it\nshows that no line up to that one was changed, whoever may write to the pool."
    )]
    Verify {
        /// A hash that an earlier run printed: its line has to be in the log.
        #[arg(long, value_name = "HASH", value_parser = parse_hash)]
        seen: Option<String>,
    },
    /// Remove old lines. What stays can still be verified.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool audit prune --older-than 2y\n  thinveil --pool /srv/pool audit prune --keep 10000\n\nA line tells how many went. A log whose chain is broken is left alone.",
        group = ArgGroup::new("what stays").required(true).args(["keep", "older_than"])
    )]
    Prune {
        /// Keep the last so many lines.
        #[arg(long, value_name = "N")]
        keep: Option<u64>,
        /// Remove lines written before: an age (90d, 2y), a date or a time.
        #[arg(long, value_name = "WHEN")]
        older_than: Option<Moment>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CanaryVerb {
    /// Plant canaries of every masked domain in every place where PostgreSQL keeps something: live
    /// and dead rows, indexes, TOAST, statistics, catalogs, WAL, files. It changes the data
    /// directory: give it a copy that you can throw away.
    #[command(
        after_help = "Example, from planting to the proof:\n  cp -a /var/lib/postgresql/15/copy /srv/canary\n  thinveil canary plant --into /srv/canary --rules rules.toml \\\n      --list canaries.json --rules-out canary-rules.toml\n  thinveil canary check --list canaries.json --raw /srv/canary\n  thinveil --pool /srv/pool snapshot create --source /srv/canary \\\n      --rules canary-rules.toml --ephemeral-key --name canaries\n  thinveil --pool /srv/pool canary check --list canaries.json canaries\n\nThe canaries are drawn at random; they say nothing about your data. Planting adds the schema\nthinveil_canary to each database with a masked column, some objects in catalogs, and files."
    )]
    Plant {
        /// The data directory of a stopped copy. No link may lead out of it.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// The rule file.
        #[arg(long, value_name = "FILE")]
        rules: PathBuf,
        /// Write what was planted where to this new file.
        #[arg(long, value_name = "FILE")]
        list: PathBuf,
        /// Write the rules to this new file, with those for the kit's own tables: what the
        /// snapshot is to be made by.
        #[arg(long, value_name = "FILE")]
        rules_out: PathBuf,
    },
    /// Search every byte of every file of a snapshot for the canaries of a list. Exit status 1 if
    /// one is there.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool canary check --list canaries.json monday\n  thinveil canary check --list canaries.json --dir /some/volume\n  thinveil canary check --list canaries.json --raw /srv/canary\n\nThe search is a plain one for the mark that every canary carries; it shares nothing with the\nleak audit.",
        group = ArgGroup::new("where to look").required(true).args(["id", "dir", "raw"])
    )]
    Check {
        /// The list that `canary plant` wrote.
        #[arg(long, value_name = "FILE")]
        list: PathBuf,
        /// A snapshot's id or name.
        id: Option<String>,
        /// A directory instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// The copy that they were planted in: they have to be there, in every place.
        #[arg(long, value_name = "DIR")]
        raw: Option<PathBuf>,
    },
}

fn parse_hash(text: &str) -> Result<String, &'static str> {
    let hash = blake3::Hash::from_hex(text.trim());
    hash.map(|hash| hash.to_hex().to_string()).map_err(|_| "a hash has 64 hexadecimal digits")
}
