//! C and C++ programs against the header and both libraries: compiled by gcc and clang with every
//! warning an error, run as they are, under AddressSanitizer and under valgrind.

mod bench;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::Bench;
use serde_json::{Value, json};
use xtask::lab::{Cluster, ClusterOptions, Owner, Undo, Workplace, run};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c");
const GOLDEN: &str = include_str!("../../tests/golden/masks.json");

impl Bench {
    /// Compiles a program of `tests/c` and returns where it is.
    fn compile(&self, compiler: &str, source: &str, more: &[&str]) -> PathBuf {
        self.compile_file(compiler, &Path::new(SOURCES).join(source), more)
    }

    /// Golden vectors as `engine.c` reads them: a spec, a value and its masked form a line.
    /// `every`: one in so many.
    fn vectors(&self, every: usize) -> PathBuf {
        let golden: Vec<Value> = serde_json::from_str(GOLDEN).expect("golden vectors");
        let labels = ["low", "middle", "high", "severe", "fatal", "none", "mild", "odd", "rare"];
        let labels: Vec<Value> =
            labels.iter().enumerate().map(|(at, label)| json!([16_400 + 2 * at, label])).collect();
        let mut lines = String::new();
        for vector in golden.iter().step_by(every) {
            let mut spec = json!({
                "mask": vector["mask"], "type": vector["value_type"], "domain": "golden",
                "options": vector["options"],
            });
            if vector["value_type"] == "enum" {
                spec["labels"] = json!(labels);
            }
            let text = |key: &str| vector[key].as_str().expect("hex").to_owned();
            lines += &format!("{spec}\t{}\t{}\n", text("value_hex"), text("masked_hex"));
        }
        let path = self.dir.join("vectors");
        fs::write(&path, lines).expect("a file");
        path
    }
}

fn engine(command: &mut Command) {
    let said = run(command).expect("the program finds nothing wrong");
    assert!(said.ends_with("ok\n"), "{said}");
}

#[test]
fn every_golden_vector_holds_in_c() {
    let bench = Bench::new("golden");
    for compiler in ["gcc", "clang"] {
        let program = bench.compile(compiler, "engine.c", &[]);
        engine(Command::new(program).arg(bench.vectors(1)));
    }
}

#[test]
fn the_static_library_links() {
    let bench = Bench::new("static");
    fs::remove_file(bench.dir.join("libthinveil.so")).expect("there");
    let program = bench.compile("gcc", "engine.c", &[]);
    fs::remove_file(bench.dir.join("libthinveil.so.1")).expect("there");
    engine(Command::new(program).arg(bench.vectors(50)));
}

#[test]
fn address_sanitizer_finds_nothing() {
    let bench = Bench::new("asan");
    for compiler in ["gcc", "clang"] {
        let program = bench.compile(compiler, "engine.c", &["-fsanitize=address,undefined"]);
        let mut command = Command::new(program);
        // The wildest arguments are addresses that nobody reads.
        command.env("ASAN_OPTIONS", "detect_leaks=1");
        engine(command.arg(bench.vectors(7)));
    }
}

#[test]
fn valgrind_finds_nothing() {
    let bench = Bench::new("valgrind");
    let program = bench.compile("gcc", "engine.c", &[]);
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
    command.args(["--errors-for-leak-kinds=definite,indirect"]);
    engine(command.arg(program).arg(bench.vectors(200)));
}

#[test]
fn a_cpp_program_includes_the_header() {
    let bench = Bench::new("cpp");
    for compiler in ["g++", "clang++"] {
        let program = bench.compile(compiler, "header.cpp", &["-std=c++11"]);
        run(&mut Command::new(program)).expect("it runs");
    }
}

#[test]
fn symbols_have_versions() {
    let bench = Bench::new("symbols");
    let said = run(Command::new("objdump").arg("-T").arg(bench.dir.join("libthinveil.so.1")));
    let said = said.expect("objdump");
    let exported: Vec<&str> = said.lines().filter(|line| line.contains(" tv_")).collect();
    assert!(exported.len() > 30, "{said}");
    for line in exported {
        assert!(line.contains("libthinveil.so.1"), "no version: {line}");
    }
}

/// A pool, a snapshot and a clone, made by a C program under AddressSanitizer.
#[test]
fn a_c_program_makes_a_snapshot_and_a_clone() {
    let undo = Undo::on_signals().expect("signals");
    let owner = Owner::here();
    let place = Path::new("/var/tmp/thinveil-ffi-test");
    let place = Workplace::create(place, owner, 1 << 30, &undo).expect("a place");
    let mut cluster = Cluster::create(owner, &place.path().join("data"), &undo).expect("a cluster");
    cluster.start(&ClusterOptions::plain()).expect("a server");
    let sql = "CREATE TABLE customers (id int PRIMARY KEY, email text);
               INSERT INTO customers
               SELECT n, 'person' || n || '@production.com' FROM generate_series(1, 2000) n;";
    let connect = |database: &str| cluster.connect(database).expect("a connection");
    connect("postgres").batch_execute("CREATE DATABASE shop").expect("a database");
    connect("shop").batch_execute(sql).expect("rows");
    cluster.stop().expect("a clean stop");

    let bench = Bench::new("lifecycle");
    let program = bench.compile("gcc", "lifecycle.c", &["-fsanitize=address,undefined"]);
    let mut command = Command::new(program);
    command.arg(place.path().join("pool")).arg(cluster.data()).arg("9400");
    let said = run(&mut command).expect("the program finds nothing wrong");
    assert!(said.contains("dsn postgresql://thinveil@127.0.0.1:94"), "{said}");
    assert!(said.ends_with("ok\n"), "{said}");
}
