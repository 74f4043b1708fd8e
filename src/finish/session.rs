//! A connection to the private server whose statements stop when the caller cancels.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use postgres::types::ToSql;
use postgres::{CancelToken, Client, NoTls, Row};

use crate::cluster::server::PrivateServer;
use crate::cluster::sql_error;
use crate::error::Result;
use crate::progress::Cancel;

/// How often a watcher looks whether the caller cancelled.
const TICK: Duration = Duration::from_millis(50);

/// A connection, with a thread that cancels its statement when the caller cancels the work.
pub(super) struct Session {
    client: Client,
    database: String,
    closed: Arc<AtomicBool>,
    beginnings: Arc<RwLock<()>>,
}

impl Session {
    pub(super) fn open(server: &PrivateServer, database: &str, cancel: &Cancel) -> Result<Session> {
        let client = server.connect(database)?;
        let closed = Arc::new(AtomicBool::new(false));
        watch(client.cancel_token(), cancel.clone(), Arc::clone(&closed));
        let beginnings = server.beginnings();
        Ok(Session { client, database: database.to_owned(), closed, beginnings })
    }

    /// Runs one statement; the number of rows it changed.
    pub(super) fn execute(
        &mut self,
        action: &str,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        let result = self.client.execute(statement, parameters);
        result.map_err(|error| sql_error(format!("{action} in database {}", self.database), &error))
    }

    /// Runs statements without parameters or results, outside of any transaction block if there
    /// is only one.
    pub(super) fn run(&mut self, action: &str, statements: &str) -> Result<()> {
        let result = self.client.batch_execute(statements);
        result.map_err(|error| sql_error(format!("{action} in database {}", self.database), &error))
    }

    /// Rewrites a table or catalog, of this quoted name, without its old row versions.
    pub(super) fn compact(&mut self, table: &str) -> Result<()> {
        let beginnings = Arc::clone(&self.beginnings);
        let _none = beginnings.read().unwrap_or_else(PoisonError::into_inner);
        self.run(&format!("compact {table}"), &format!("VACUUM FULL {table}"))
    }

    /// Runs a query.
    pub(super) fn query(
        &mut self,
        action: &str,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let result = self.client.query(query, parameters);
        result.map_err(|error| sql_error(format!("{action} in database {}", self.database), &error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

fn watch(token: CancelToken, cancel: Cancel, closed: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !closed.load(Ordering::Relaxed) {
            if cancel.is_cancelled() {
                // If this fails, the server is going down anyway.
                let _ = token.cancel_query(NoTls);
            }
            std::thread::sleep(TICK);
        }
    });
}
