//! One error type. It carries coordinates (relation, block, line pointer, column), never a value.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::ids::BlockNumber;

/// The result of everything fallible in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb: `read`, `create`.
        action: &'static str,
        /// What it was being done to.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// Bytes that are not what PostgreSQL would have written.
    #[error("{place}: {what}")]
    Corrupt {
        /// Where.
        place: Box<Place>,
        /// What is wrong there.
        what: &'static str,
    },

    /// A page whose checksum does not match its bytes.
    #[error(
        "{place}: page checksum is {got:#06x}, its bytes say {expected:#06x}: the raw data is damaged"
    )]
    ChecksumMismatch {
        /// Where.
        place: Box<Place>,
        /// The checksum that the bytes call for.
        expected: u16,
        /// The checksum that stands in the page header.
        got: u16,
    },

    /// A stored form that masks can't rewrite in place yet.
    #[error("{place}: {what}")]
    UnsupportedDatum {
        /// Where.
        place: Box<Place>,
        /// Which form, and what to do.
        what: &'static str,
    },

    /// Policy, plan or audit said no. Complete: every reason is listed.
    #[error("{}", render_refusals(.0))]
    Refused(Vec<Refusal>),

    /// A rewritten page differs from the raw one outside of masked values: a defect of thinveil,
    /// caught before it reached a snapshot.
    #[error("{place}: the rewritten page failed its layout proof; please report this")]
    LayoutDeviation {
        /// Where.
        place: Box<Place>,
    },

    /// A name that nothing has.
    #[error("no {what} named {name:?}")]
    NotFound {
        /// `snapshot`, `clone`.
        what: &'static str,
        /// The name asked for.
        name: String,
    },

    /// Something else holds what is needed.
    #[error("{what}")]
    Busy {
        /// What is held, by whom, and what to do.
        what: String,
    },

    /// The caller asked for something that makes no sense, or is not supported.
    #[error("{what}")]
    Invalid {
        /// What, and what would make sense.
        what: String,
    },

    /// A PostgreSQL server did not do what it was started for.
    #[error("{what}")]
    Server {
        /// What happened, with the server's own last lines.
        what: String,
    },

    /// A statement failed. PostgreSQL's DETAIL is withheld: it may quote values.
    #[error("{action}: {message} (SQLSTATE {sqlstate})")]
    Sql {
        /// What the statement was for.
        action: String,
        /// PostgreSQL's primary message.
        message: String,
        /// PostgreSQL's error code.
        sqlstate: String,
    },

    /// The pool's audit log is not what was written.
    #[error("the audit log is broken at line {line}: {what}")]
    AuditLogBroken {
        /// The first line that is wrong or, past the last one, missing.
        line: u64,
        /// What is wrong.
        what: String,
    },

    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// For `map_err`: an I/O error with what was done to which path.
    pub fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// An [`Error::Invalid`].
    pub fn invalid(what: impl Into<String>) -> Error {
        Error::Invalid { what: what.into() }
    }

    /// True if the source's own bytes are damaged.
    pub fn is_corruption(&self) -> bool {
        matches!(self, Error::Corrupt { .. } | Error::ChecksumMismatch { .. })
    }

    /// True if policy, plan or audit refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Error::Refused(_))
    }
}

/// Where in a cluster something was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `database.schema.table`, or a path where no name is known.
    pub relation: String,
    /// Block in the main fork.
    pub block: Option<BlockNumber>,
    /// Line pointer (1-based, an `OffsetNumber`).
    pub line_pointer: Option<u16>,
    /// Column.
    pub column: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.relation)?;
        if let Some(block) = self.block {
            write!(f, ", block {block}")?;
        }
        if let Some(line_pointer) = self.line_pointer {
            write!(f, ", line pointer {line_pointer}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        Ok(())
    }
}

/// One reason why a snapshot is refused, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refusal {
    /// Stable, for programs: `unlisted_column`, `unique_needs_injective`, …
    pub code: &'static str,
    /// Database, where the reason lies in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `schema.table`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do; often a line to paste into the rule file.
    pub remedy: String,
}

impl Refusal {
    /// A reason that belongs to no table yet.
    pub fn new(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Refusal {
            code,
            database: None,
            table: None,
            column: None,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, in a database.
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// The same, in a table (`schema.table`).
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    /// The same, in a column.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = Some(name.into());
        self
    }
}

fn render_refusals(refusals: &[Refusal]) -> String {
    use std::fmt::Write as _;

    let mut text = match refusals.len() {
        1 => "refused, for one reason:".to_owned(),
        count => format!("refused, for {count} reasons:"),
    };
    for refusal in refusals {
        let place: Vec<&str> = [&refusal.database, &refusal.table, &refusal.column]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        // Writing to a String can't fail.
        let _ = write!(text, "\n  ");
        if !place.is_empty() {
            let _ = write!(text, "{}: ", place.join("."));
        }
        let _ = write!(text, "{} [{}]", refusal.message, refusal.code);
        for line in refusal.remedy.lines() {
            let _ = write!(text, "\n      {line}");
        }
    }
    text
}
