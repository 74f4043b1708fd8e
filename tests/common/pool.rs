//! The binary, and a pool driven through it.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use postgres::{Client, Config, NoTls};
use serde_json::Value;

use super::cluster::Queries;
use super::sandbox::Sandbox;
use super::servers::Servers;

/// The key that tests mask with, in hex.
pub(crate) const TEST_KEY: &str =
    "5a17c0de5a17c0de5a17c0de5a17c0de00112233445566778899aabbccddeeff";

/// How a run of the binary ended.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The exit status.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// The one JSON document of `--json`; there has to be nothing else on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self:?}"))
    }

    /// Both outputs.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Panics with all output unless the exit status is this one.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Outcome {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self
    }

    /// The `refused` array of a refusal.
    #[track_caller]
    pub(crate) fn refusals(&self) -> Vec<Value> {
        assert_eq!(self.status.code(), Some(3), "{self:?}");
        let refused = self.json()["refused"].as_array().cloned().unwrap_or_default();
        assert!(!refused.is_empty(), "no refusal listed: {self:?}");
        for refusal in &refused {
            for key in ["code", "message", "remedy"] {
                let text = refusal[key].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{key} is missing in {refusal}");
            }
        }
        refused
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// A pool of the test's own, with a range of ports that no other pool of this process has.
#[derive(Debug)]
pub(crate) struct Pool {
    dir: PathBuf,
    ports: String,
    program: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

impl Pool {
    /// A pool in the sandbox, with the driver that `auto` picks there.
    pub(crate) fn new(sandbox: &Sandbox) -> Pool {
        Pool::init(&sandbox.join("pool"), "auto")
    }

    /// A pool in this directory.
    pub(crate) fn init(dir: &Path, driver: &str) -> Pool {
        Pool::init_with(dir, driver, &[env!("CARGO_BIN_EXE_thinveil")])
    }

    /// A pool in a file of this size, in this directory.
    pub(crate) fn init_in_file(dir: &Path, size: &str) -> Pool {
        Pool::init_by(dir, &["--loop", size], &[env!("CARGO_BIN_EXE_thinveil")])
    }

    /// A pool whose every verb is run by this program: it takes the binary's arguments.
    pub(crate) fn init_with(dir: &Path, driver: &str, program: &[&str]) -> Pool {
        Pool::init_by(dir, &["--driver", driver], program)
    }

    fn init_by(dir: &Path, options: &[&str], program: &[&str]) -> Pool {
        let pool = Pool {
            dir: dir.to_path_buf(),
            ports: next_ports(),
            program: program.iter().map(|&part| part.to_owned()).collect(),
            env: vec![("THINVEIL_KEY".into(), TEST_KEY.into())],
        };
        pool.run(&[&["pool", "init"], options].concat()).expect_code(0);
        pool
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// This pool's own ports, as `--ports` takes them.
    pub(crate) fn ports(&self) -> &str {
        &self.ports
    }

    /// The binary with `--pool` and `--json`, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_for_people(&[&["--json"], arguments].concat())
    }

    /// The binary with `--pool`, not started yet.
    pub(crate) fn command_for_people(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).arg("--pool").arg(&self.dir).args(arguments);
        command.env_remove("THINVEIL_POOL").env_remove("THINVEIL_PG_BIN");
        let servers = Servers::tested();
        if !servers.are_debians() {
            command.env("THINVEIL_PG_BIN", servers.bin());
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        finish(self.command(arguments).spawn().expect("the binary starts"))
    }

    /// Runs the binary with something on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        // It may refuse before it reads.
        stdin.write_all(input.as_bytes()).ok();
        drop(stdin);
        finish(child)
    }

    /// Runs the binary, which has to succeed; its JSON document.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).expect_code(0).json()
    }

    /// `snapshot create`, however it ends.
    pub(crate) fn try_snapshot(&self, source: &str, rules: &Path, more: &[&str]) -> Outcome {
        let rules = rules.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["snapshot", "create", "--source", source, "--rules", rules];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// `snapshot create`, which has to succeed.
    #[track_caller]
    pub(crate) fn snapshot(&self, source: &str, rules: &Path, more: &[&str]) -> Snapshot {
        self.snapshot_of(self.try_snapshot(source, rules, more).expect_code(0).json())
    }

    /// `snapshot create --from-clone`, which has to succeed.
    #[track_caller]
    pub(crate) fn branch(&self, clone: &str, name: &str) -> Snapshot {
        self.snapshot_of(self.json(&["snapshot", "create", "--from-clone", clone, "--name", name]))
    }

    fn snapshot_of(&self, json: Value) -> Snapshot {
        let id = text(&json, "id");
        let volume = self.dir.join("snapshots").join(&id).join("volume");
        Snapshot { id, json, volume }
    }

    /// `clone create` with a password made up by thinveil; it has to succeed.
    #[track_caller]
    pub(crate) fn clone_of(&self, snapshot: &str, more: &[&str]) -> Clone {
        let mut arguments = vec!["clone", "create", "--snapshot", snapshot];
        if !more.contains(&"--port") {
            arguments.extend(["--ports", &self.ports]);
        }
        arguments.extend(more);
        let json = self.json(&arguments);
        let password = text(&json, "password");
        Clone::new(json, password)
    }

    /// Ids that `snapshot list` or `clone list` shows.
    #[track_caller]
    pub(crate) fn ids(&self, noun: &str) -> Vec<String> {
        let list = self.json(&[noun, "list"]);
        list.as_array().expect("an array").iter().map(|item| text(item, "id")).collect()
    }

    /// Names in one of the pool's directories; none if it is not there.
    pub(crate) fn entries(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.dir.join(directory)) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// What an attempt that made no snapshot left behind.
    pub(crate) fn remains(&self) -> Vec<String> {
        let mut found = super::leftovers_under(&self.dir);
        for directory in ["snapshots", "staging", "clones"] {
            let entries = self.entries(directory);
            found.extend(entries.into_iter().map(|name| format!("{directory}/{name}")));
        }
        found
    }
}

fn finish(child: Child) -> Outcome {
    let output = child.wait_with_output().expect("the binary ends");
    Outcome {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Twenty ports, below those that the kernel gives to outgoing connections.
fn next_ports() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let by_process = u16::try_from(std::process::id() % 16).expect("small") * 1300;
    let first = 10_000 + by_process + NEXT.fetch_add(1, Ordering::Relaxed) % 65 * 20;
    format!("{first}..{}", first + 20)
}

/// A text under a key.
#[track_caller]
pub(crate) fn text(json: &Value, key: &str) -> String {
    let value = json[key].as_str();
    value.unwrap_or_else(|| panic!("no text under {key:?} in {json}")).to_owned()
}

/// A sealed snapshot.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    /// What `snapshot create` said.
    pub(crate) json: Value,
    /// Data directory and tablespaces.
    pub(crate) volume: PathBuf,
}

impl Snapshot {
    /// The masked data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.volume.join("data")
    }

    /// A count under a key.
    #[track_caller]
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.json[key].as_u64().unwrap_or_else(|| panic!("no count {key:?} in {}", self.json))
    }
}

/// A clone and the password to it.
#[derive(Debug)]
pub(crate) struct Clone {
    pub(crate) id: String,
    /// What `clone create` said.
    pub(crate) json: Value,
    pub(crate) password: String,
}

impl Clone {
    pub(crate) fn new(json: Value, password: String) -> Clone {
        Clone { id: text(&json, "id"), json, password }
    }

    pub(crate) fn host(&self) -> String {
        text(&self.json, "host")
    }

    pub(crate) fn port(&self) -> u16 {
        self.json["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port")
    }

    pub(crate) fn user(&self) -> String {
        text(&self.json, "user")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        PathBuf::from(text(&self.json, "data_dir"))
    }

    /// How to connect, the password left to the caller.
    pub(crate) fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host(&self.host()).port(self.port()).user(&self.user()).dbname(database);
        config
    }

    /// A connection, if there is one to be had.
    pub(crate) fn try_client(&self, database: &str) -> Result<Client, postgres::Error> {
        self.config(database).password(&self.password).connect(NoTls)
    }
}

impl Queries for Clone {
    fn client(&self, database: &str) -> Client {
        self.try_client(database)
            .unwrap_or_else(|error| panic!("clone {} at {}: {error:?}", self.id, self.port()))
    }
}
