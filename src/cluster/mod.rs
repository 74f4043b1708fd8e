//! A data directory and the servers that run on it.

pub mod binaries;
pub mod config;
pub(crate) mod launch;
mod process;
pub mod sandbox;
pub mod server;
mod settings;
mod single_user;
mod sql;

pub use process::{Postmaster, end_all, find_postmaster};
pub use single_user::{Printed, SingleUser, bootstrap_superuser};
pub use sql::{quote_ident, quote_literal, sql_error};
