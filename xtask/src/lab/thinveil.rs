//! The `thinveil` command as a child process.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Undo;

/// The command, and the pool that it works on.
#[derive(Clone)]
pub struct Thinveil {
    program: PathBuf,
    pool: PathBuf,
    undo: Undo,
}

/// What a run of the command came to.
pub struct Outcome {
    /// Its one JSON document.
    pub json: Value,
    /// From the call to the exit.
    pub elapsed: Duration,
    /// Most memory that the process itself held at a time (`VmHWM`), its children not counted.
    pub peak_bytes: u64,
}

impl Thinveil {
    /// Builds the command (in release) in the checkout at `root`, for work on `pool`. The
    /// environment variable `THINVEIL` names a program to take instead.
    pub fn build(root: &Path, pool: &Path, undo: &Undo) -> Result<Thinveil> {
        if let Some(program) = std::env::var_os("THINVEIL") {
            let program = PathBuf::from(program);
            return Ok(Thinveil { program, pool: pool.to_path_buf(), undo: undo.clone() });
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--package", "thinveil"]).current_dir(root);
        if !cargo.status().context("run cargo build")?.success() {
            bail!("cargo build --release failed");
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        let program = root.join(target).join("release/thinveil");
        Ok(Thinveil { program, pool: pool.to_path_buf(), undo: undo.clone() })
    }

    /// The same command for another pool.
    pub fn with_pool(&self, pool: &Path) -> Thinveil {
        Thinveil { pool: pool.to_path_buf(), ..self.clone() }
    }

    /// Runs `thinveil --pool POOL --json ARGUMENTS…`. Progress goes to this process's standard
    /// error; an error is what the command said.
    pub fn json(&self, arguments: &[&str], input: Option<&str>) -> Result<Outcome> {
        let shown = arguments.join(" ");
        let begin = Instant::now();
        let mut child = Command::new(&self.program)
            .arg("--pool")
            .arg(&self.pool)
            .arg("--json")
            .args(arguments)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {}", self.program.display()))?;
        let pid = child.id();
        // On Ctrl-C the child, which may be in the middle of a pool, gets the time to undo.
        let guard = self.undo.push(move || terminate(pid));
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input.as_bytes()).context("write to thinveil")?;
        }
        let mut stdout = child.stdout.take().context("thinveil's output")?;
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let mut peak_bytes = 0;
        let status: ExitStatus = loop {
            peak_bytes = peak_bytes.max(high_water_mark(pid));
            if let Some(status) = child.try_wait().context("wait for thinveil")? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let elapsed = begin.elapsed();
        Undo::forget(guard);
        let text = match reader.join() {
            Ok(text) => text.context("read thinveil's output")?,
            Err(_) => bail!("reading thinveil's output panicked"),
        };
        if !status.success() {
            bail!("thinveil {shown} failed ({status}) {}", text.trim());
        }
        let json = serde_json::from_str(&text)
            .with_context(|| format!("thinveil {shown} did not print one JSON document"))?;
        Ok(Outcome { json, elapsed, peak_bytes })
    }
}

impl Outcome {
    /// A key that must be there and text.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.json.get(key).and_then(Value::as_str).with_context(|| format!("no text key `{key}`"))
    }

    /// A key that must be there and a whole number.
    pub fn number(&self, key: &str) -> Result<u64> {
        self.json.get(key).and_then(Value::as_u64).with_context(|| format!("no number key `{key}`"))
    }

    /// Seconds by stage, in the order in which stages run.
    pub fn stages(&self) -> Vec<(String, f64)> {
        const ORDER: [&str; 6] = ["stage", "plan", "rewrite", "finish", "audit", "seal"];
        let stages = self.json.get("stages").and_then(Value::as_object);
        let mut stages: Vec<(String, f64)> = stages
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
            .collect();
        let rank =
            |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        stages.sort_by_key(|(name, _)| rank(name));
        stages
    }
}

/// Asks a process to end, and waits for it for as long as an undo may reasonably take.
fn terminate(pid: u32) {
    let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    // It may have ended by itself: the terminal sends Ctrl-C to it as well.
    let _ = kill_process(target, Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_running(pid) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // `pid (name) state …`: Z is a process that has ended and that nobody has waited for yet.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn high_water_mark(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|n| n.parse().ok());
    kib.unwrap_or(0u64) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memory_and_life_of_a_process() {
        let me = std::process::id();
        assert!(high_water_mark(me) > 100_000);
        assert!(is_running(me));
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep exists");
        assert!(is_running(child.id()));
        terminate(child.id());
        assert!(!is_running(child.id()));
        child.wait().expect("the child is ours");
    }

    #[test]
    fn stages_come_in_the_order_in_which_they_run() {
        let json = serde_json::json!({"stages": {"audit": 1.0, "plan": 0.1, "stage": 2.0}});
        let outcome = Outcome { json, elapsed: Duration::ZERO, peak_bytes: 0 };
        let names: Vec<String> = outcome.stages().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["stage", "plan", "audit"]);
    }
}
