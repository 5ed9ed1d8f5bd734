//! What was measured, as text: printed while it comes, and kept in RESULTS.md.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The page with the latest results of whole runs.
pub fn results_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md")
}

/// A part of RESULTS.md in the making.
pub struct Report {
    name: &'static str,
    text: String,
    notes: Vec<String>,
    versions: BTreeMap<String, String>,
}

impl Report {
    /// Begins with the machine and the day.
    pub fn new(name: &'static str) -> Result<Self> {
        let mut report = Self { name, text: String::new(), notes: Vec::new(), versions: BTreeMap::new() };
        report.line(&format!("{}.", machine()?));
        report.line(&format!("Measured on {}, commit {}.", output("date", &["-u", "+%F"])?, commit()?));
        Ok(report)
    }

    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text += "\n\n";
    }

    pub fn title(&mut self, title: &str) {
        self.line(&format!("### {title}"));
    }

    pub fn grid(&mut self, grid: &Grid) {
        self.line(grid.to_string().trim_end());
    }

    /// Something to know, at the end of the report.
    pub fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    pub fn version(&mut self, package: &str, version: &str) {
        self.versions.insert(package.to_owned(), version.to_owned());
    }

    /// Tells the notes and the versions, and takes the place of the last report of this name in `file`.
    pub fn finish(mut self, file: Option<&Path>) -> Result<()> {
        let notes = std::mem::take(&mut self.notes);
        if !notes.is_empty() {
            self.title("Notes");
            notes.iter().for_each(|note| self.line(note));
        }
        for package in ["arrow", "datafusion"] {
            self.version(package, &locked_version(package));
        }
        let versions: Vec<String> =
            self.versions.iter().map(|(package, version)| format!("{package} {version}")).collect();
        self.line(&format!("Versions: {}.", versions.join(", ")));
        let Some(file) = file else { return Ok(()) };
        let page = std::fs::read_to_string(file).unwrap_or_else(|_| PAGE.to_owned());
        std::fs::write(file, replaced(&page, self.name, &self.text))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        println!("written to {}", file.display());
        Ok(())
    }
}

/// The page before anything was measured.
const PAGE: &str = "# What was measured\n\nWritten by `foretell-bench`; the [README](README.md) says how.\n";

/// The page with this text as the part of that name.
fn replaced(page: &str, name: &str, text: &str) -> String {
    let head = format!("\n## {name}\n\n");
    let part = format!("{head}{}\n", text.trim_end());
    let Some(start) = page.find(&head) else { return format!("{}\n{part}", page.trim_end()) };
    let after = start + head.len();
    let end = page[after..].find("\n## ").map_or(page.len(), |at| after + at);
    format!("{}{part}{}", &page[..start], &page[end..])
}

/// A table.
pub struct Grid(Vec<Vec<String>>);

impl Grid {
    pub fn new(head: Vec<String>) -> Self {
        Self(vec![head])
    }

    pub fn push(&mut self, line: Vec<String>) {
        self.0.push(line);
    }
}

/// As Markdown that reads well as text; the first column is left-aligned, the others are numbers.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0[0].len();
        let width = |at: usize| self.0.iter().map(|line| line[at].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, line) in self.0.iter().enumerate() {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let rules = widths.iter().enumerate().map(|(at, width)| match at {
                    0 => "-".repeat(*width),
                    _ => "-".repeat(*width - 1) + ":",
                });
                writeln!(f, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }
}

/// "7.14 M", "485 k", "135", "0.4"
pub fn per_second(rows: f64) -> String {
    match rows {
        rows if rows >= 1e8 => format!("{:.0} M", rows / 1e6),
        rows if rows >= 1e7 => format!("{:.1} M", rows / 1e6),
        rows if rows >= 1e6 => format!("{:.2} M", rows / 1e6),
        rows if rows >= 1e4 => format!("{:.0} k", rows / 1e3),
        rows if rows >= 1e3 => format!("{:.1} k", rows / 1e3),
        rows if rows >= 1e2 => format!("{rows:.0}"),
        rows => format!("{rows:.1}"),
    }
}

/// "25.3x"
pub fn times(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 100.0 => format!("{ratio:.0}x"),
        ratio if ratio >= 2.0 => format!("{ratio:.1}x"),
        ratio => format!("{ratio:.2}x"),
    }
}

/// Processor with what it can do, cores, memory, system.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let flags = field(&processor, "flags");
    let instructions: Vec<&str> = flags.split(' ').filter(|flag| INSTRUCTIONS.contains(flag)).collect();
    let kilobytes: f64 = field(&memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    Ok(format!(
        "{} ({}, {} MHz, cache {}), {cores} cores, {:.0} GB of memory, {}, {}",
        field(&processor, "model name"),
        instructions.join(" "),
        field(&processor, "cpu MHz").split('.').next().unwrap_or_default(),
        field(&processor, "cache size"),
        kilobytes / 1024.0 / 1024.0,
        std::env::consts::OS,
        std::env::consts::ARCH,
    ))
}

/// Instruction sets that kernels ask for.
const INSTRUCTIONS: [&str; 9] =
    ["avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi", "avx512_vnni", "asimd"];

/// The commit that is measured, with a plus if the tree has changes.
fn commit() -> Result<String> {
    let commit = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"])?;
    let changes = output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "status", "--porcelain", "--untracked-files=no"])?;
    Ok(if changes.is_empty() { commit } else { commit + "+" })
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The version of a package that this program was built with.
pub fn locked_version(package: &str) -> String {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = LOCK.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{package}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_the_place_of_the_last() {
        let page = replaced(PAGE, "Kernels", "one\n\n");
        let page = replaced(&page, "Tables", "two\n\n");
        let page = replaced(&page, "Kernels", "three\n\n");
        assert!(page.ends_with("how.\n\n## Kernels\n\nthree\n\n## Tables\n\ntwo\n"), "{page}");
        assert_eq!(replaced(&page, "Tables", "two"), page);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [1.8e8, 7.14e6, 485_000.0, 2_800.0, 135.0, 0.4].map(per_second);
        assert_eq!(texts, ["180 M", "7.14 M", "485 k", "2.8 k", "135", "0.4"]);
        assert_eq!([0.5, 25.31, 1234.0].map(times), ["0.50x", "25.3x", "1234x"]);
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert!(locked_version("tract-onnx").starts_with("0."));
        assert_eq!(locked_version("no-such-package"), "unknown");
    }
}
