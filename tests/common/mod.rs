//! What end-to-end tests stand on: real clusters, a pool driven through the binary, file systems in
//! loop devices, and judges that know nothing of thinveil's internals.

mod clients;
mod cluster;
mod judges;
mod loop_fs;
mod needles;
mod originals;
mod pool;
mod processes;
mod rules;
mod sandbox;
mod servers;
pub(crate) mod simple_search;

pub(crate) use clients::{client_program, dump};
pub(crate) use cluster::{Cluster, Queries, Row};
pub(crate) use judges::{
    assert_all_judges_pass, assert_checkers_find_nothing, assert_foreign_keys_hold,
    assert_same_layout, checksum_findings, heap_files, layout_difference, verify_heapam_findings,
};
pub(crate) use loop_fs::{FileSystem, LoopFs};
pub(crate) use needles::{Needles, files_under, tree_digest};
pub(crate) use originals::originals_of;
pub(crate) use pool::{Clone, Outcome, Pool, Snapshot, TEST_KEY, text};
pub(crate) use processes::{leftovers_under, process_secrets, wait_until};
pub(crate) use rules::Rules;
pub(crate) use sandbox::{Sandbox, copy_tree, must};
pub(crate) use servers::{Base, Servers};
