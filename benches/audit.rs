//! The leak audit's search: bytes a second and core, by number of originals and by what is searched;
//! what collecting them costs; memory.
//!
//! `cargo bench --bench audit` searches for 10 million distinct originals; `cargo bench --bench audit
//! -- 1000000` for a million.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use thinveil::audit::AuditJob;
use thinveil::cluster::FileMap;
use thinveil::datum::ValueType;
use thinveil::fingerprint::{Collector, ColumnName, Gathered, Limits};
use thinveil::mask::{MaskKey, Witness};
use thinveil::plan::MaskPlan;
use thinveil::progress::{Cancel, NoProgress};

/// Bytes searched.
const BYTES: usize = 256 << 20;

/// Pseudo-random numbers; splitmix64.
struct Random {
    state: u64,
    is_odd: bool,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { state: seed, is_odd: seed % 2 == 1 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.next() as usize % words.len()]
    }
}

const NAMES: [&str; 16] = [
    "maria", "john", "anna", "peter", "luisa", "mohamed", "chen", "olga", "david", "fatima",
    "paul", "ingrid", "carlos", "yuki", "emma", "tom",
];
const STREETS: [&str; 8] = [
    "Main Street",
    "Church Road",
    "Mill Lane",
    "High Street",
    "Park Avenue",
    "Elm Drive",
    "Oak Way",
    "Hill Rise",
];

/// What a column of addresses, of telephone numbers, and of streets may hold.
fn value(number: u64, random: &mut Random, out: &mut String) {
    use std::fmt::Write;
    out.clear();
    // What is searched holds no original: those are odd.
    let unique = random.next() << 1 | u64::from(random.is_odd);
    let written = match number % 4 {
        0 | 1 => {
            let (first, last) = (random.of(&NAMES), random.of(&NAMES));
            write!(out, "{first}.{last}{}@mail.example", unique % 10_000_000_000)
        }
        2 => write!(out, "+44 7{:03} {:09}", unique % 1000, unique / 1000 % 1_000_000_000),
        _ => {
            let (house, postcode) = (unique % 900_000, unique / 900_000 % 1_000_000);
            write!(out, "{house} {}, {postcode:06}", random.of(&STREETS))
        }
    };
    written.expect("a string takes it");
}

fn gather(count: u64, scratch: &Path, threads: &rayon::ThreadPool) -> Gathered {
    let collector = Collector::new(&MaskKey::from_bytes([3; 32]), scratch, Limits::default());
    let mut random = Random::new(1);
    let mut text = String::new();
    let mut notes = collector.notes(0);
    for number in 0..count {
        value(number, &mut random, &mut text);
        notes.original(ValueType::Text, text.as_bytes());
    }
    drop(notes);
    let column = ColumnName { database: "d".into(), table: "s.t".into(), column: "c".into() };
    collector.gather(vec![column], threads).expect("memory is enough")
}

/// Rows as a heap has them, of other values of the same kind.
fn rows(out: &mut impl Write) -> std::io::Result<()> {
    let (mut random, mut text, mut written) = (Random::new(2), String::new(), 0);
    while written < BYTES {
        let mut row = vec![0u8; 24];
        row[0..4].copy_from_slice(&(random.next() as u32 % 1000).to_le_bytes());
        row.extend_from_slice(&random.next().to_le_bytes());
        for column in 0..4 {
            value(column, &mut random, &mut text);
            row.push(((text.len() + 1) << 1 | 1) as u8);
            row.extend_from_slice(text.as_bytes());
        }
        row.resize(row.len().next_multiple_of(8), 0);
        out.write_all(&row)?;
        written += row.len();
    }
    Ok(())
}

fn noise(out: &mut impl Write) -> std::io::Result<()> {
    let mut random = Random::new(3);
    (0..BYTES / 8).try_for_each(|_| out.write_all(&random.next().to_le_bytes()))
}

fn zeros(out: &mut impl Write) -> std::io::Result<()> {
    (0..BYTES / 4096).try_for_each(|_| out.write_all(&[0; 4096]))
}

/// A file's content.
type Content = fn(&mut BufWriter<File>) -> std::io::Result<()>;

/// Seconds that an audit with one thread takes.
fn audit(count: u64, volume: &Path, threads: &rayon::ThreadPool) -> f64 {
    let scratch = tempfile::tempdir().expect("a directory");
    let fingerprints = gather(count, scratch.path(), threads);
    let start = Instant::now();
    let job = AuditJob {
        volume,
        plan: &MaskPlan::default(),
        fingerprints,
        files: &FileMap::default(),
        threads: 1,
        cancel: &Cancel::new(),
        progress: &NoProgress,
    };
    job.run().expect("nothing is found");
    start.elapsed().as_secs_f64()
}

/// Peak memory, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn main() {
    // `cargo test` runs it without `--bench`, and wants to know that it runs.
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let measured = std::env::args().any(|argument| argument == "--bench");
    let count: u64 = asked.unwrap_or(if measured { 10_000_000 } else { 1000 });
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");

    let mut random = Random::new(1);
    let mut text = String::new();
    let start = Instant::now();
    (0..count).for_each(|number| value(number, &mut random, &mut text));
    let making = start.elapsed();
    let scratch = tempfile::tempdir().expect("a directory");
    let start = Instant::now();
    let gathered = gather(count, scratch.path(), &threads);
    let collecting = start.elapsed().saturating_sub(making).as_nanos() as u64 / count;
    println!(
        "{} distinct originals; {collecting} ns to collect and gather one",
        gathered.distinct()
    );
    drop(gathered);

    let empty = tempfile::tempdir().expect("a directory");
    let building = audit(count, empty.path(), &threads);
    println!("{building:.2} s to prepare the search, {} MB in memory at most", peak());
    let contents: [(&str, Content); 3] = [("rows", rows), ("noise", noise), ("zeros", zeros)];
    for (name, write) in contents {
        let volume = tempfile::tempdir().expect("a directory");
        let file = File::create(volume.path().join(name)).expect("a file");
        let mut file = BufWriter::new(file);
        write(&mut file).and_then(|()| file.flush()).expect("the disk has room");
        let seconds = audit(count, volume.path(), &threads) - building;
        println!("{name}: {:.0} MB/s and core", BYTES as f64 / 1e6 / seconds);
    }
    println!("{} MB in memory at most", peak());
}
