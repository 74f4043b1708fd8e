//! thinveil from outside: real PostgreSQL clusters in, masked snapshots and clones out, through the
//! built binary alone. One binary, so that tests share the clusters that they copy from.
//!
//! Runs as root on Debian 12 with PostgreSQL 15; other majors come from npm.
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod audit_log;
mod branches;
mod canaries;
mod clones;
mod command_line;
mod conditions;
mod confinement;
mod context;
mod dependencies;
mod differences;
mod drivers;
mod encodings;
mod evidence;
mod hosts;
mod interruptions;
mod irregular;
mod judge_faults;
mod leak_audit;
mod literals;
mod majors;
mod masking;
mod moving;
mod nulls;
mod ordinary_user;
mod parts;
mod ports;
mod ranges;
mod refusals;
mod residue;
mod retention;
mod running_sources;
mod shuffle;
mod sources;
mod stored_forms;
mod structured;
mod text_search;
mod types;
