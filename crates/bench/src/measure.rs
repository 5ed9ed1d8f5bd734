//! What is measured, and how it is told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// One run of a job: what it says of itself in one line of JSON, as `job` and the peers in `peers/` print it.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Rows that were scored and saved.
    pub rows: u64,
    /// From the start of the work to its end; loading the program does not count.
    pub seconds: f64,
    /// The most memory the process ever had, in MB; `None` where the system does not tell.
    pub peak_mb: Option<u64>,
}

impl Run {
    /// Runs a job in a process of its own and takes what it says.
    pub fn of(command: &mut Command) -> Result<Self> {
        let line = json_of(command)?;
        Self::from_line(&line).ok_or_else(|| format!("{command:?} printed no measurement: {line}").into())
    }

    fn from_line(line: &Value) -> Option<Self> {
        Some(Self {
            rows: line["rows"].as_u64()?,
            seconds: line["seconds"].as_f64()?,
            peak_mb: line["peak_rss_mb"].as_u64(),
        })
    }

    /// The run of median duration, with the highest peak of all.
    pub fn median(runs: &[Self]) -> Result<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(|left, right| left.seconds.total_cmp(&right.seconds));
        let middle = sorted.get(sorted.len() / 2).ok_or("nothing was measured")?;
        Ok(Self { peak_mb: runs.iter().filter_map(|run| run.peak_mb).max(), ..*middle })
    }
}

/// Runs a job in a process of its own: the last line of what it prints, which is JSON.
pub fn json_of(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    last_line(&text).ok_or_else(|| format!("{command:?} printed no JSON: {text}").into())
}

fn last_line(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().last()?).ok()
}

/// Measurements of the same thing.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The one in the middle; not a number if nothing was measured.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// How far the others are from it: half of the way from the least to the greatest, as a share of the median.
    pub fn spread(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(greatest)) => (greatest - least) / 2.0 / self.median(),
            _ => f64::NAN,
        }
    }
}

/// "  3367760 rows     1.234 s   2729141 rows/s    210 MB"
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, seconds, .. } = self;
        let peak = self.peak_mb.map_or_else(|| "unknown".to_owned(), |peak| format!("{peak} MB"));
        write!(f, "{rows:>9} rows {seconds:>9.3} s {:>9.0} rows/s {peak:>9}", *rows as f64 / seconds)
    }
}

/// The most memory that this process ever had, in MB. Linux tells.
pub fn own_peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// The scripts, data and models that the repository has for its users.
pub fn sql_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_measurement() {
        let line = last_line("a warning\n{\"rows\": 10, \"seconds\": 0.5, \"peak_rss_mb\": 7}\n").expect("a line");
        let run = Run::from_line(&line).expect("a measurement");
        assert_eq!(run.to_string(), "       10 rows     0.500 s        20 rows/s      7 MB");
        assert!(last_line("").is_none());
        assert!(Run::from_line(&last_line("{\"rows\": 10}").expect("JSON")).is_none());
    }

    #[test]
    fn a_sample_has_a_median_and_a_spread() {
        let mut sample = Sample::default();
        assert!(sample.median().is_nan());
        [3.0, 1.0, 2.0].into_iter().for_each(|value| sample.push(value));
        assert_eq!((sample.median(), sample.spread()), (2.0, 0.5));
    }

    #[test]
    fn the_median_has_the_highest_peak() {
        let run = |seconds, peak| Run { rows: 1, seconds, peak_mb: Some(peak) };
        let median = Run::median(&[run(3.0, 5), run(1.0, 9), run(2.0, 4)]).expect("three runs");
        assert_eq!((median.seconds, median.peak_mb), (2.0, Some(9)));
        assert!(Run::median(&[]).is_err());
    }
}
