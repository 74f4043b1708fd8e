//! The verbs of clones.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Subcommand;
use thinveil::pool::PortRange;

use super::time::Until;

#[derive(Debug, Subcommand)]
pub(crate) enum CloneVerb {
    /// Make a clone and start it. It outlives this command.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool clone create --snapshot monday --name alice\n  pass show alice | thinveil --pool /srv/pool clone create --snapshot monday \\\n      --user alice --password-stdin --ports 6000..6100\n\nWithout --password-stdin a password is drawn and shown this once; it is stored nowhere."
    )]
    Create {
        /// The snapshot's id or name.
        #[arg(long)]
        snapshot: String,
        /// A name, for people.
        #[arg(long)]
        name: Option<String>,
        /// The port.
        #[arg(long, conflicts_with = "ports")]
        port: Option<u16>,
        /// Ports to choose from.
        #[arg(long, default_value_t = PortRange::default())]
        ports: PortRange,
        /// The role to connect as; a superuser of the clone.
        #[arg(long, default_value = "thinveil")]
        user: String,
        /// Read the role's password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// The database that the connection string names.
        #[arg(long)]
        database: Option<String>,
        /// Listen on this address too. Needs --tls-cert and --tls-key.
        #[arg(long, value_name = "ADDRESS", requires = "tls_cert", requires = "tls_key")]
        listen: Vec<IpAddr>,
        /// Certificate for TLS.
        #[arg(long, value_name = "FILE")]
        tls_cert: Option<PathBuf>,
        /// The certificate's private key.
        #[arg(long, value_name = "FILE")]
        tls_key: Option<PathBuf>,
        /// When `pool gc` may remove it: how long from now (8h, 3d), a date or a time.
        #[arg(long, value_name = "WHEN")]
        lease: Option<Until>,
        /// Make so many: names end in -1, -2, …. All of them or none.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: Option<u16>,
    },
    /// List clones, oldest first.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone list")]
    List,
    /// Show a clone.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone show alice --json")]
    Show {
        /// Id or name.
        id: String,
    },
    /// Tell which relations of a clone differ from its snapshot, and by how many bytes.
    #[command(
        after_help = "Example:\n  thinveil --pool /srv/pool clone diff alice\n\nFiles are compared. A running clone has written what it changed before its last CHECKPOINT.\nHint bits count as well: whoever reads a row first may change its page."
    )]
    Diff {
        /// Id or name.
        id: String,
    },
    /// Start a stopped clone.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone start alice")]
    Start {
        /// Id or name.
        id: String,
    },
    /// Stop a clone; its data stays.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone stop alice")]
    Stop {
        /// Id or name.
        id: String,
    },
    /// Take a clone back to its snapshot, or to another one. Port, role and password stay.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool clone reset alice\n  thinveil --pool /srv/pool clone reset alice --to tuesday"
    )]
    Reset {
        /// Id or name.
        id: String,
        /// From now on it is a clone of this snapshot: id or name, of the same major version.
        #[arg(long, value_name = "SNAPSHOT")]
        to: Option<String>,
        /// Read a new password from standard input, instead of keeping the clone's.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a clone a lease until then, whatever lease it had.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool clone renew alice --lease 8h\n  thinveil --pool /srv/pool clone renew alice --forever"
    )]
    Renew {
        /// Id or name.
        id: String,
        /// When `pool gc` may remove it: how long from now (8h, 3d), a date or a time.
        #[arg(long, value_name = "WHEN", required_unless_present = "forever")]
        lease: Option<Until>,
        /// No end.
        #[arg(long, conflicts_with = "lease")]
        forever: bool,
    },
    /// Keep everybody from destroying a clone.
    #[command(
        after_help = "Examples:\n  thinveil --pool /srv/pool clone protect alice\n  thinveil --pool /srv/pool clone protect alice --until 2027-01-31"
    )]
    Protect {
        /// Id or name.
        id: String,
        /// Until then: a date, a time, or how long from now (30d, 12h). Without it: until it is
        /// unprotected.
        #[arg(long, value_name = "WHEN")]
        until: Option<Until>,
    },
    /// Let a clone be destroyed.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone unprotect alice")]
    Unprotect {
        /// Id or name.
        id: String,
    },
    /// Destroy a clone that is not protected.
    #[command(after_help = "Example:\n  thinveil --pool /srv/pool clone destroy alice")]
    Destroy {
        /// Id or name.
        id: String,
    },
}
