//! A PostgreSQL cluster as it lies in a data directory.

pub mod catalog;
