//! A process of its own for what strangers wrote, so that it can be watched: how long it keeps the processor busy, how much
//! memory it takes, and whether it ends the process or never ends.
//!
//! Time is that of the processor, so that a busy machine changes nothing. Only Linux tells time and memory; elsewhere a file
//! can still end the process or hang.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::counts;

/// Names the folder of files to the watched process.
const FOLDER: &str = "FORETELL_HOSTILE_FILES";
const SECONDS_MAX: f64 = 1.0;
const KILOBYTES_MAX: u64 = 256 << 10;
/// After this a process hangs, however busy the machine is.
const HANG: Duration = Duration::from_secs(300);

/// A file by its name.
pub type File = (String, Vec<u8>);

/// What a file did.
#[derive(Debug)]
pub struct Report {
    /// The file.
    pub name: String,
    /// What the reader said, or nothing if the file is sound.
    pub message: String,
    seconds: f64,
    kilobytes: u64,
}

/// Reads files of a kind in a process of their own, which is this program with nothing to do but the test of this name. That
/// test calls [`read_if_watched`].
///
/// # Panics
/// When a file ends the process, or is not modest: it takes over a second, over 256 MB, or is called a bug of ours.
pub fn watch(test: &str, kind: &str, files: &[File]) -> Vec<Report> {
    let folder = tempfile::tempdir().expect("a folder for the files");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
    }
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.path().join("errors")).expect("a writable folder"))
        .spawn()
        .expect("this test runs again");
    let started = Instant::now();
    let status = loop {
        match child.try_wait().expect("a process of ours") {
            Some(status) => break Some(status),
            None if started.elapsed() > HANG => break None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.is_none() {
        child.kill().expect("a process of ours");
    }
    let text = fs::read_to_string(folder.path().join("reports")).unwrap_or_default();
    let errors = fs::read_to_string(folder.path().join("errors")).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default();
    assert!(status.is_some_and(|status| status.success()), "{status:?}, at `{last}`: {errors}");
    let reports: Vec<Report> = text.lines().filter_map(report).collect();
    assert_eq!(reports.len(), files.len(), "one report for each file");
    count(kind, &reports);
    reports.iter().for_each(Report::assert_modest);
    reports
}

/// Counts the files, and says which took the most.
fn count(kind: &str, reports: &[Report]) {
    let refused = reports.iter().filter(|report| !report.message.is_empty()).count();
    let mut lines = vec![(format!("{kind} files"), format!("{}, {refused} of them refused", reports.len()))];
    if let Some(slowest) = reports.iter().max_by(|one, other| one.seconds.total_cmp(&other.seconds)) {
        lines.push(("  most time".to_string(), format!("{:.2} s of the processor, {}", slowest.seconds, slowest.name)));
    }
    if let Some(largest) = reports.iter().max_by_key(|report| report.kilobytes) {
        lines.push(("  most memory".to_string(), format!("{} MB, {}", largest.kilobytes >> 10, largest.name)));
    }
    counts::report("Hostile files", kind, &lines);
}

impl Report {
    fn assert_modest(&self) {
        let Self { name, message, seconds, kilobytes } = self;
        assert!(*seconds <= SECONDS_MAX, "{name} takes {seconds} s: {message}");
        assert!(*kilobytes <= KILOBYTES_MAX, "{name} takes {kilobytes} kB: {message}");
        assert!(!message.contains("internal error"), "a broken file is no bug of ours: {name}: {message}");
    }
}

/// A line `name, seconds, kilobytes, message` with tabs between; a line with the name alone says that the file is next.
fn report(line: &str) -> Option<Report> {
    let mut parts = line.splitn(4, '\t');
    let name = parts.next()?.to_string();
    let (seconds, kilobytes) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Report { name, seconds, kilobytes, message: parts.next()?.to_string() })
}

/// Reads the files in the process that is watched; in any other there is nothing to do. `read` says what is wrong with a
/// file, of which the first line is kept, or nothing.
///
/// # Panics
/// When the folder cannot be read.
pub fn read_if_watched(read: impl Fn(&[u8]) -> String) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder with the files")
        .map(|entry| entry.expect("a readable folder").file_name().into_string().expect("a plain name"))
        .filter(|name| name != "errors" && name != "reports")
        .collect();
    names.sort();
    let mut reports = fs::File::create(folder.join("reports")).expect("a writable folder");
    for name in names {
        writeln!(reports, "{name}").expect("a writable file");
        // What the files before left to the allocator is not this one's: the first call forgets it.
        peak_kilobytes();
        let before = peak_kilobytes();
        let bytes = fs::read(folder.join(&name)).expect("a readable file");
        let busy = busy_seconds();
        let message = read(&bytes);
        let message = message.lines().next().unwrap_or_default();
        let (seconds, kilobytes) = (busy_seconds() - busy, peak_kilobytes().saturating_sub(before));
        writeln!(reports, "{name}\t{seconds}\t{kilobytes}\t{message}").expect("a writable file");
    }
}

/// The most memory that this process had since this was last asked.
#[cfg(target_os = "linux")]
fn peak_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's own file");
    fs::write("/proc/self/clear_refs", "5").expect("the process's own file");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a line of this name");
    line.split_whitespace().nth(1).and_then(|value| value.parse().ok()).expect("a number")
}

/// How long the processor worked for this process, whatever else the machine did.
#[cfg(target_os = "linux")]
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("the process's own file");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields behind the name").split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

#[cfg(not(target_os = "linux"))]
fn peak_kilobytes() -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
fn busy_seconds() -> f64 {
    0.0
}
