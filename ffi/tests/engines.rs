//! The examples in other languages: each is built as its reader would build it, serves a pool, and
//! is spoken to.

mod bench;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bench::Bench;
use serde_json::Value;
use thinveil::mask::MaskKey;
use thinveil::pool::{Pool, SnapshotOptions, Source};
use thinveil::rules::RuleSet;
use thinveil::storage::DriverChoice;
use xtask::lab::{Cluster, ClusterOptions, Owner, Undo, Workplace, run};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
const RULES: &str = "version = 1
[databases.postgres.tables.\"public.customers\"]
id = \"keep\"
email = \"email\"
";

/// A pool with snapshot `monday`.
struct Scene {
    pool: PathBuf,
    _place: Workplace,
    _undo: Undo,
}

impl Scene {
    fn new(name: &str) -> Scene {
        let undo = Undo::on_signals().expect("signals");
        let owner = Owner::here();
        let place = Path::new("/var/tmp").join(format!("thinveil-{name}-test"));
        let place = Workplace::create(&place, owner, 1 << 30, &undo).expect("a place");
        let data = place.path().join("data");
        let mut cluster = Cluster::create(owner, &data, &undo).expect("a cluster");
        cluster.start(&ClusterOptions::plain()).expect("a server");
        let sql = "CREATE TABLE customers (id int PRIMARY KEY, email text);
                   INSERT INTO customers
                   SELECT n, 'person' || n || '@production.com' FROM generate_series(1, 500) n;";
        cluster.connect("postgres").expect("a connection").batch_execute(sql).expect("rows");
        cluster.stop().expect("a clean stop");
        let dir = place.path().join("pool");
        let (pool, _) = Pool::init(&dir, DriverChoice::Auto).expect("a pool");
        let source = Source::parse(&data.display().to_string());
        let options =
            SnapshotOptions { name: Some("monday".to_owned()), ..SnapshotOptions::default() };
        let key = MaskKey::generate().expect("a key");
        let rules = RuleSet::from_toml(RULES).expect("rules");
        let sealed = pool
            .stage(&source, options)
            .and_then(|staged| staged.plan(&rules)?.rewrite(&key)?.finish()?.audit()?.seal());
        sealed.expect("a snapshot");
        Scene { pool: dir, _place: place, _undo: undo }
    }

    /// Speaks to an engine that `command` starts, on ports from `port` on.
    fn serve(&self, mut command: Command, port: u16) {
        let ports = [port, port + 9].map(|port| port.to_string());
        let command = command.arg(&self.pool).args(&ports);
        let mut engine = Engine::start(command);
        assert_eq!(engine.ask("snapshots")[0]["name"], "monday");
        assert_eq!(engine.ask("clones").as_array().map(Vec::len), Some(0));
        let made = engine.ask("create monday dev");
        assert_eq!(made["snapshot"], engine.ask("snapshots")[0]["id"]);
        let password = made["password"].as_str().expect("a password");
        let sql = |sql: &str| {
            let mut psql = Command::new("psql");
            let dsn = made["dsn"].as_str().expect("a connection string");
            psql.args(["-XAtqc", sql, dsn]).env("PGPASSWORD", password);
            run(&mut psql).expect("a query").trim().to_owned()
        };
        let originals = "SELECT count(*) FROM customers WHERE email LIKE '%production.com'";
        assert_eq!(sql(originals), "0");
        sql("DELETE FROM customers WHERE id > 10");
        assert_eq!(sql("SELECT count(*) FROM customers"), "10");
        engine.ask("reset dev");
        assert_eq!(sql("SELECT count(*) FROM customers"), "500");
        assert_eq!(engine.ask("show dev")["state"], "running");
        assert_eq!(engine.refused("create tuesday other"), 201);
        assert_eq!(engine.refused("create"), 100);
        assert_eq!(engine.refused("dance"), 103);
        assert_eq!(engine.ask("destroy dev"), Value::Null);
        assert_eq!(engine.refused("destroy dev"), 201);
        assert_eq!(engine.ask("clones").as_array().map(Vec::len), Some(0));
        engine.end();
    }
}

struct Engine {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Engine {
    fn start(command: &mut Command) -> Engine {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the engine starts");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Engine { requests: child.stdin.take(), answers, child }
    }

    fn line(&mut self, request: &str) -> String {
        let requests = self.requests.as_mut().expect("open");
        writeln!(requests, "{request}").expect("the engine reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the engine answers");
        answer.trim_end().to_owned()
    }

    /// The record that a request is answered with.
    fn ask(&mut self, request: &str) -> Value {
        let answer = self.line(request);
        let record = answer.strip_prefix("ok ").unwrap_or_else(|| panic!("{request}: {answer}"));
        serde_json::from_str(record).expect("JSON")
    }

    /// The status that a request fails with.
    fn refused(&mut self, request: &str) -> i32 {
        let answer = self.line(request);
        let error = answer.strip_prefix("error ").unwrap_or_else(|| panic!("{request}: {answer}"));
        let (status, record) = error.split_once(' ').expect("a status and a record");
        serde_json::from_str::<Value>(record).expect("JSON");
        status.parse().expect("a number")
    }

    fn end(mut self) {
        drop(self.requests.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn in_c() {
    let (scene, bench) = (Scene::new("engine-c"), Bench::new("engine-c"));
    let source = Path::new(EXAMPLES).join("engine.c");
    for (compiler, more) in [("clang", &[][..]), ("gcc", &["-fsanitize=address,undefined"])] {
        scene.serve(Command::new(bench.compile_file(compiler, &source, more)), 9410);
    }
}

#[test]
fn in_go() {
    let (scene, bench) = (Scene::new("engine-go"), Bench::new("engine-go"));
    // As an installed library's.
    let package = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/thinveil.pc.in"))
        .expect("a template")
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("${prefix}/lib", &bench.dir.display().to_string())
        .replace("${prefix}/include", INCLUDE);
    fs::write(bench.dir.join("thinveil.pc"), package).expect("a file");
    let program = bench.dir.join("engine");
    for verb in [&["vet", "."][..], &["build", "-o", &program.display().to_string(), "."]] {
        let mut go = Command::new("go");
        go.args(verb).current_dir(Path::new(EXAMPLES).join("go"));
        go.env("PKG_CONFIG_PATH", &bench.dir);
        go.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache"));
        run(&mut go).expect("go finds nothing wrong");
    }
    let mut engine = Command::new(program);
    engine.env("LD_LIBRARY_PATH", &bench.dir);
    scene.serve(engine, 9420);
}

#[test]
fn in_javascript() {
    let (scene, bench) = (Scene::new("engine-node"), Bench::new("engine-node"));
    for file in ["engine.mjs", "package.json"] {
        let from = Path::new(EXAMPLES).join("node").join(file);
        fs::copy(from, bench.dir.join(file)).expect("a copy");
    }
    let mut npm = Command::new("npm");
    run(npm.args(["install", "--no-audit", "--no-fund"]).current_dir(&bench.dir)).expect("koffi");
    let mut engine = Command::new("node");
    engine.arg(bench.dir.join("engine.mjs"));
    engine.env("THINVEIL_LIBRARY", bench.dir.join("libthinveil.so.1"));
    scene.serve(engine, 9430);
}
