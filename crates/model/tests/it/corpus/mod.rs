//! Hostile files, one for each thing that a file can do to its reader.
//!
//! They are loaded, and run if they load, in a process that is watched: none of them may end it, keep it busy for over a
//! second, or make it take over 256 MB.

mod files;
mod ml;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use foretell_model::Error;
use foretell_testing::counts;

use self::files::{hostile_files, truncated_files};
use crate::exercise::load_and_run;

/// Names the folder of files to the watched process.
const FOLDER: &str = "FORETELL_HOSTILE_FILES";
const SECONDS_MAX: f64 = 1.0;
const KILOBYTES_MAX: u64 = 256 << 10;
/// After this a process hangs, however busy the machine is.
const HANG: Duration = Duration::from_secs(300);

/// What a file did.
struct Report {
    name: String,
    /// What the reader said, or nothing if the model is sound.
    message: String,
    seconds: f64,
    kilobytes: u64,
}

#[test]
fn hostile_files_are_refused_soon_and_cheaply() {
    let reports = watch(&hostile_files());
    count("hostile", &reports);
    for report in reports {
        assert_modest(&report);
        assert_eq!(report.message.is_empty(), report.name.starts_with("odd_"), "{}: {}", report.name, report.message);
    }
}

#[test]
fn truncated_files_are_refused() {
    let reports = watch(&truncated_files());
    count("truncated", &reports);
    for report in reports {
        assert_modest(&report);
        assert_ne!(report.message, "", "{} loads", report.name);
    }
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

fn assert_modest(report: &Report) {
    let Report { name, message, seconds, kilobytes } = report;
    assert!(*seconds <= SECONDS_MAX, "{name} takes {seconds} s: {message}");
    assert!(*kilobytes <= KILOBYTES_MAX, "{name} takes {kilobytes} kB: {message}");
    assert!(!message.contains("internal error"), "a broken file is no bug of ours: {name}: {message}");
}

/// Loads and runs the files in a process of their own.
fn watch(files: &[(String, Vec<u8>)]) -> Vec<Report> {
    let folder = tempfile::tempdir().expect("a folder for the files");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
    }
    let reports = folder.path().join("reports");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "corpus::files_are_loaded_where_they_are_watched", "--nocapture"])
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
    let text = fs::read_to_string(reports).unwrap_or_default();
    let errors = fs::read_to_string(folder.path().join("errors")).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default();
    assert!(status.is_some_and(|status| status.success()), "{status:?}, at `{last}`: {errors}");
    let reports: Vec<Report> = text.lines().filter_map(report).collect();
    assert_eq!(reports.len(), files.len(), "one report for each file");
    reports
}

/// A line `name, seconds, kilobytes, message` with tabs between; a line with the name alone says that the file is next.
fn report(line: &str) -> Option<Report> {
    let mut parts = line.splitn(4, '\t');
    let name = parts.next()?.to_string();
    let (seconds, kilobytes) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Report { name, seconds, kilobytes, message: parts.next()?.to_string() })
}

/// The process that is watched; by itself there is nothing to do.
#[test]
fn files_are_loaded_where_they_are_watched() {
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
        let message = load_and_run(&bytes).err().map_or_else(String::new, |error| chain(&error));
        let (seconds, kilobytes) = (busy_seconds() - busy, peak_kilobytes().saturating_sub(before));
        writeln!(reports, "{name}\t{seconds}\t{kilobytes}\t{message}").expect("a writable file");
    }
}

/// The error with its cause, on one line.
fn chain(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}").lines().next().unwrap_or_default().to_string()
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

/// Only Linux tells; elsewhere a file can still end the process or hang.
#[cfg(not(target_os = "linux"))]
fn peak_kilobytes() -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
fn busy_seconds() -> f64 {
    0.0
}
