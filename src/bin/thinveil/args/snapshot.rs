//! The verbs of snapshots.

use std::path::PathBuf;

use clap::Subcommand;

use super::KeyArguments;
use super::time::Until;

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotVerb {
    /// Make a masked snapshot: stage, plan, rewrite, finish, audit, seal.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot create --source /var/lib/postgresql/15/main \\\n      --rules rules.toml --key-file mask.key --name monday\n  thinveil --pool /srv/pool snapshot create --source 'host=db user=backup' \\\n      --rules rules.toml --ephemeral-key\n  thinveil --pool /srv/pool snapshot create --from-clone alice --name with-fixtures\n\nThe key comes from --key-file, from --ephemeral-key, or from the environment variable\nTHINVEIL_KEY. A failure, a refusal or Ctrl-C leaves nothing behind.\n\nWith --from-clone nothing is masked: what people wrote to the clone stays. With the key that\nmasked its snapshot, every original is searched for, and refuses; without a key, nothing is.\nPasswords, WAL and the like go. The clone goes on; unless the driver is zfs or btrfs, its\nserver is stopped while it is copied."
    )]
    Create {
        /// A data directory that no server runs on (or, running or not, with driver zfs a dataset,
        /// with driver btrfs a subvolume of the pool's file system), or the connection string of a live server.
        #[arg(long, value_name = "DIR|CONNINFO", required_unless_present = "from_clone")]
        source: Option<String>,
        /// Who owns the data that pg_basebackup brings, when run as root.
        #[arg(long, value_name = "USER", default_value = "postgres")]
        os_user: String,
        /// Take what a clone holds now instead, which was masked before: id or name.
        #[arg(
            long,
            value_name = "CLONE",
            conflicts_with_all = ["source", "rules", "ephemeral_key", "detach"]
        )]
        from_clone: Option<String>,
        /// The rule file.
        #[arg(long, value_name = "FILE", required_unless_present = "from_clone")]
        rules: Option<PathBuf>,
        #[command(flatten)]
        key: KeyArguments,
        /// Sign the snapshot's manifest with this Ed25519 key, a file in PEM (see
        /// `thinveil key new --signing`).
        #[arg(long, value_name = "FILE", env = "THINVEIL_SIGNING_KEY_FILE")]
        signing_key_file: Option<PathBuf>,
        /// A name, for people.
        #[arg(long)]
        name: Option<String>,
        /// Share no block with the source: every byte is copied, also where the file system could
        /// share it.
        #[arg(long)]
        detach: bool,
        /// Threads, and indexes rebuilt at once; 0 for one per core.
        #[arg(long, default_value_t = 0, value_name = "N")]
        threads: usize,
    },
    /// List snapshots, oldest first.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot list\n  thinveil --pool /srv/pool snapshot list --tag release=2.4"
    )]
    List {
        /// Only those with this tag.
        #[arg(long, value_name = "KEY[=VALUE]")]
        tag: Vec<String>,
    },
    /// Show which snapshot was made of which, with the clones of each.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool snapshot log")]
    Log,
    /// Show what a snapshot says of itself.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool snapshot show monday --json")]
    Show {
        /// Id or name.
        id: String,
    },
    /// Search a snapshot again for every original value, with the key that masked it. Without a
    /// key: show what was searched and found before it was sealed.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot audit monday --key-file mask.key\n  thinveil --pool /srv/pool snapshot audit monday\n\nThe key comes from --key-file or from the environment variable THINVEIL_KEY. It opens the\nfingerprints of all original values, which lie sealed beside the snapshot. A snapshot whose\nkey was ephemeral can't be audited again: nobody can open them, so none were kept. Whatever\nis found refuses (exit status 3), with every place listed."
    )]
    Audit {
        /// Id or name.
        id: String,
        /// A file with the key that masked it.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Threads; 0 for one per core.
        #[arg(long, default_value_t = 0, value_name = "N")]
        threads: usize,
    },
    /// Check a snapshot's signature, and every file's hash; name what differs.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot verify monday\n  thinveil --pool /srv/pool snapshot verify monday --public-key sign.pub\n\nWithout --public-key the signature is checked with the public key beside the snapshot, which\nshows that the two fit together, not who made them."
    )]
    Verify {
        /// Id or name.
        id: String,
        /// Who has to have signed it: a file with the public key in PEM, or 64 hexadecimal digits.
        #[arg(long, value_name = "FILE|HEX")]
        public_key: Option<String>,
    },
    /// Write a page on a snapshot, to be read and filed: what is masked, kept, removed and left.
    #[command(
        after_help = "Example:\n  thinveil --pool /srv/pool snapshot report monday --html monday.html"
    )]
    Report {
        /// Id or name.
        id: String,
        /// Write it to this file, which needs nothing else to be shown or printed.
        #[arg(long, value_name = "FILE")]
        html: PathBuf,
    },
    /// Write a snapshot to a file, to be imported into another pool.
    #[command(
        after_help = "Example:\n  thinveil --pool /srv/pool snapshot export monday --file monday.tar.zst\n\nThe file is a tar archive in a zstd stream: `tar --zstd -t` lists it. It holds masked data, the\nmanifest, its signature, and the sealed fingerprints, if there are any. Until it is whole, it\nhas another name (….part)."
    )]
    Export {
        /// Id or name.
        id: String,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Make a snapshot of a file that another pool exported. It keeps its id and its manifest.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/other snapshot import monday.tar.zst\n  thinveil --pool /srv/other snapshot import monday.tar.zst --name friday --public-key sign.pub\n\nEvery file has to have the hash that the manifest names, before there is a snapshot. Owners are\nthose of the archive, by number; without root, everything is yours."
    )]
    Import {
        /// The file.
        file: PathBuf,
        /// Another name for it in this pool.
        #[arg(long)]
        name: Option<String>,
        /// Who has to have signed it: a file with the public key in PEM, or 64 hexadecimal digits.
        #[arg(long, value_name = "FILE|HEX")]
        public_key: Option<String>,
    },
    /// Add tags to a snapshot, or replace their values; remove others.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot tag monday release=2.4 nightly\n  thinveil --pool /srv/pool snapshot tag monday --remove nightly"
    )]
    Tag {
        /// Id or name.
        id: String,
        /// A key, or a key with a value.
        #[arg(value_name = "KEY[=VALUE]", required_unless_present = "remove")]
        tags: Vec<String>,
        /// Remove the tag of this key.
        #[arg(long, value_name = "KEY")]
        remove: Vec<String>,
    },
    /// Keep everybody from destroying a snapshot.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot protect monday\n  thinveil --pool /srv/pool snapshot protect monday --until 30d"
    )]
    Protect {
        /// Id or name.
        id: String,
        /// Until then: a date, a time, or how long from now (30d, 12h). Without it: until it is
        /// unprotected.
        #[arg(long, value_name = "WHEN")]
        until: Option<Until>,
    },
    /// Let a snapshot be destroyed.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool snapshot unprotect monday")]
    Unprotect {
        /// Id or name.
        id: String,
    },
    /// Destroy a snapshot that has no clones, and is not protected.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool snapshot destroy monday\n  thinveil --pool /srv/pool snapshot destroy monday --cascade"
    )]
    Destroy {
        /// Id or name.
        id: String,
        /// Destroy its clones first. If one of them is protected, nothing is destroyed.
        #[arg(long)]
        cascade: bool,
    },
}
