//! Whole tables: Parquet in, Parquet out, and a query that counts what a model finds.
//!
//! Every run is a process of its own, which tells its time and the most memory it had. The floor is the same statement with a
//! plain sum of the columns in the place of the model: what DataFusion takes to read, add and write.

mod cases;
mod goals;
mod job;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;
use tempfile::TempDir;

use self::cases::{ABOVE, CASES, Case, Peer, Task};
use self::job::Job;
use crate::Result;
use crate::measure::{Sample, json_of};
use crate::report::{Grid, Report, per_second, results_file, times};

pub use self::job::{NAME as JOB, run as run_job};

/// Rows of one file of the table.
const FILE_ROWS: usize = 1_000_000;
/// A peer that has run for so long is not run again.
const SECONDS_MAX: f64 = 15.0;
/// What answers may differ by, and counts by rows at the border.
const TOLERANCE: f64 = 1e-5;

/// Bytes that are taken and given back before each run. Where the machine is a virtual one, its host takes memory that is free
/// for long, and whoever runs after a large process would pay for its return.
const MEMORY_AT_HAND: usize = 1 << 30;

const FORETELL: &str = "foretell";
const FLOOR: &str = "the sum of the columns";

fn bring_memory() {
    drop(black_box(vec![1_u8; MEMORY_AT_HAND]));
}

/// What the flags say.
struct Options {
    /// Where `make_models.py` wrote.
    folder: PathBuf,
    python: Option<PathBuf>,
    models: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    rows: usize,
    rounds: usize,
    threads: usize,
    is_quick: bool,
    results: Option<PathBuf>,
}

/// The runs of one engine.
#[derive(Default)]
struct Runs {
    seconds_per_row: Sample,
    peak_mb: u64,
    spent: f64,
}

/// Runs by engine.
type Measured = BTreeMap<&'static str, Runs>;

/// `tables DIR [--python PATH] [--models A,B] [--peers A,B] [--rows N] [--rounds N] [--threads N] [--quick] [--results PATH]`
pub fn run(parser: Parser) -> Result<()> {
    let options = Options::parse(parser)?;
    let mut report = Report::new("Tables")?;
    report.line(&format!("{} rows of 28 float32 columns, {} threads.", options.rows, options.threads));
    let mut measured = Vec::new();
    for case in CASES.iter().filter(|case| options.has_model(case.model)) {
        let runs = options.measure(case, &mut report)?;
        report.title(case.title);
        report.grid(&grid(options.rows, &runs));
        measured.push((case, runs));
    }
    report.title("Goals");
    report.grid(&goals::grid(&measured));
    report.finish(options.results.as_deref())
}

impl Options {
    fn parse(mut parser: Parser) -> Result<Self> {
        let mut options = Self {
            folder: PathBuf::new(),
            python: None,
            models: None,
            peers: None,
            rows: 10 * FILE_ROWS,
            rounds: 3,
            threads: 2,
            is_quick: false,
            results: None,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Value(folder) if options.folder.as_os_str().is_empty() => options.folder = folder.into(),
                Arg::Long("python") => options.python = Some(parser.value()?.into()),
                Arg::Long("models") => options.models = Some(crate::list(&parser.value()?.string()?)),
                Arg::Long("peers") => options.peers = Some(crate::list(&parser.value()?.string()?)),
                Arg::Long("rows") => options.rows = parser.value()?.parse()?,
                Arg::Long("rounds") => options.rounds = parser.value()?.parse()?,
                Arg::Long("threads") => options.threads = parser.value()?.parse()?,
                Arg::Long("quick") => {
                    (options.is_quick, options.rows, options.rounds) = (true, 2 * FILE_ROWS, 2);
                }
                Arg::Long("results") => options.results = Some(parser.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        options.complete()
    }

    /// Refuses what is not there, and knows where to write what is complete.
    fn complete(mut self) -> Result<Self> {
        self.folder = crate::made_folder(&self.folder)?;
        let models: Vec<&str> = CASES.iter().map(|case| case.model).collect();
        crate::check_names("model", self.models.as_deref(), &models)?;
        let peers: Vec<&str> = CASES.iter().flat_map(|case| case.peers).map(|peer| peer.name).collect();
        crate::check_names("peer", self.peers.as_deref(), &peers)?;
        if self.rows == 0 || !self.rows.is_multiple_of(FILE_ROWS) {
            return Err(format!("--rows takes whole millions, not {}", self.rows).into());
        }
        let is_whole = self.models.is_none() && self.peers.is_none() && self.rows == 10 * FILE_ROWS;
        if is_whole && self.python.is_some() && self.results.is_none() {
            self.results = Some(results_file());
        }
        Ok(self)
    }

    fn has_model(&self, name: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|model| model == name))
    }

    fn peers<'a>(&self, case: &'a Case) -> impl Iterator<Item = &'static Peer> + use<'a, '_> {
        let is_wanted =
            |peer: &Peer| self.peers.as_ref().is_none_or(|peers| peers.iter().any(|name| name == peer.name));
        case.peers.iter().copied().filter(move |peer| self.python.is_some() && is_wanted(peer))
    }

    /// Lets everyone take turns.
    fn measure(&self, case: &'static Case, report: &mut Report) -> Result<Measured> {
        let place = Place::new(&self.folder)?;
        let mut measured = Measured::new();
        let mut expected = BTreeMap::new();
        for _ in 0..self.rounds {
            for title in [FORETELL, FLOOR] {
                bring_memory();
                let line = self.job(case, &place, title, self.rows)?.start()?;
                if title == FORETELL {
                    expected.insert(self.rows, line.clone());
                }
                measured.entry(title).or_default().push(self.rows, &line)?;
            }
            for peer in self.peers(case) {
                let runs = measured.entry(peer.title).or_default();
                if runs.spent > SECONDS_MAX {
                    continue;
                }
                bring_memory();
                let rows = if case.model == "linear" { self.rows } else { self.rows.min(peer.tree_rows_max) };
                let line = self.run_peer(case, &place, peer, rows)?;
                let ours = match expected.entry(rows) {
                    Entry::Occupied(answered) => answered.into_mut(),
                    Entry::Vacant(empty) => empty.insert(self.job(case, &place, FORETELL, rows)?.start()?),
                };
                compare(peer.title, ours, &line, rows)?;
                runs.push(rows, &line)?;
                for (package, version) in line["versions"].as_object().into_iter().flatten() {
                    report.version(package, version.as_str().unwrap_or("unknown"));
                }
            }
        }
        Ok(measured)
    }

    /// The table that everyone scores first.
    fn small(&self) -> PathBuf {
        self.folder.join("data/small")
    }

    fn job(&self, case: &Case, place: &Place, title: &str, rows: usize) -> Result<Job> {
        let names: Vec<String> = (0..28).map(|at| format!("f{at}")).collect();
        let score = match title {
            FLOOR => names.join(" + "),
            _ => format!("predict_proba('m', {})['1']", names.join(", ")),
        };
        let output = place.output("foretell")?;
        let work = |table: &str| match case.task {
            Task::Save => format!(
                "COPY (SELECT f0, {score} AS score FROM {table}) TO '{output}' STORED AS PARQUET \
                 OPTIONS (format.compression snappy)"
            ),
            Task::Filter => format!("SELECT count(*) FROM {table} WHERE {score} > {ABOVE}"),
        };
        let table = place.table(&self.folder, rows)?;
        let setup = vec![
            format!("CREATE MODEL m FROM '{}'", self.folder.join("models").join(case.ours).display()),
            format!("CREATE EXTERNAL TABLE warm STORED AS PARQUET LOCATION '{}/'", self.small().display()),
            format!("CREATE EXTERNAL TABLE rows STORED AS PARQUET LOCATION '{}/'", table.display()),
            work("warm"),
        ];
        Ok(Job { threads: self.threads, task: case.task, setup, work: work("rows"), output })
    }

    fn run_peer(&self, case: &Case, place: &Place, peer: &Peer, rows: usize) -> Result<Value> {
        let python = self.python.as_ref().ok_or("peers need --python")?;
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/tables.py"));
        command.args([peer.name, case.task.name()]).arg(self.folder.join("models").join(case.theirs));
        command.arg(place.table(&self.folder, rows)?).arg(place.output(peer.name)?);
        command.arg("--warm").arg(self.small());
        command.args(["--above", &ABOVE.to_string(), "--threads", &self.threads.to_string()]);
        json_of(&mut command)
    }
}

/// Where tables of any number of files are put together, and outputs written; it goes when the case is done.
struct Place(TempDir);

impl Place {
    /// In the same folder as the table, whose files are linked.
    fn new(folder: &Path) -> Result<Self> {
        Ok(Self(tempfile::tempdir_in(folder)?))
    }

    /// A folder with the first files of the table.
    fn table(&self, folder: &Path, rows: usize) -> Result<PathBuf> {
        let table = self.0.path().join(format!("{rows}"));
        if !table.exists() {
            std::fs::create_dir(&table)?;
            for at in 0..rows / FILE_ROWS {
                let name = format!("{at:02}.parquet");
                let source = folder.join("data/table").join(&name);
                std::fs::hard_link(&source, table.join(name)).map_err(|error| {
                    format!(
                        "cannot link {}: {error}; make_models.py --blocks says how many there are",
                        source.display()
                    )
                })?;
            }
        }
        Ok(table)
    }

    /// A name for an output, with nothing there.
    fn output(&self, name: &str) -> Result<String> {
        let output = self.0.path().join(format!("{name}.parquet"));
        if output.is_dir() {
            std::fs::remove_dir_all(&output)?;
        } else if output.exists() {
            std::fs::remove_file(&output)?;
        }
        Ok(output.display().to_string())
    }
}

impl Runs {
    fn push(&mut self, rows: usize, line: &Value) -> Result<()> {
        let seconds = line["seconds"].as_f64().ok_or_else(|| format!("no seconds in {line}"))?;
        self.seconds_per_row.push(seconds / rows as f64);
        self.peak_mb = self.peak_mb.max(line["peak_rss_mb"].as_u64().unwrap_or(0));
        self.spent += seconds;
        Ok(())
    }
}

/// Fails if a peer has other answers: other means, or another count.
fn compare(peer: &str, ours: &Value, theirs: &Value, rows: usize) -> Result<()> {
    for (name, allowed) in
        [("rows", 0.0), ("mean", TOLERANCE), ("weighted_mean", TOLERANCE), ("count", rows as f64 * TOLERANCE)]
    {
        let (left, right) = (ours[name].as_f64(), theirs[name].as_f64());
        let is_same = match (left, right) {
            (Some(left), Some(right)) => (left - right).abs() <= allowed,
            // The rows of a filter are not told, and neither is the count of what is saved.
            _ => left.is_none(),
        };
        if !is_same {
            return Err(format!("{peer} has another {name} than foretell: {theirs} instead of {ours}").into());
        }
    }
    Ok(())
}

fn grid(rows: usize, measured: &Measured) -> Grid {
    let head = ["", "rows per second", "seconds", "spread", "time of foretell's", "peak of memory"];
    let mut grid = Grid::new(head.map(str::to_owned).to_vec());
    let ours = measured.get(FORETELL).map_or(f64::NAN, |runs| runs.seconds_per_row.median());
    let mut sorted: Vec<(&&str, &Runs)> = measured.iter().collect();
    sorted.sort_by(|left, right| left.1.seconds_per_row.median().total_cmp(&right.1.seconds_per_row.median()));
    for (name, runs) in sorted {
        let seconds = runs.seconds_per_row.median();
        grid.push(vec![
            (*name).to_owned(),
            per_second(1.0 / seconds),
            format!("{:.2}", seconds * rows as f64),
            if runs.seconds_per_row.len() == 1 {
                "one run".to_owned()
            } else {
                format!("±{:.0} %", runs.seconds_per_row.spread() * 100.0)
            },
            times(seconds / ours),
            format!("{} MB", runs.peak_mb),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_answers_are_refused() {
        let ours = json!({ "rows": 10, "mean": 0.5, "weighted_mean": 0.25 });
        assert!(compare("it", &ours, &json!({ "rows": 10, "mean": 0.500_001, "weighted_mean": 0.25 }), 10).is_ok());
        assert!(compare("it", &ours, &json!({ "rows": 10, "mean": 0.51, "weighted_mean": 0.25 }), 10).is_err());
        assert!(compare("it", &ours, &json!({ "rows": 9, "mean": 0.5, "weighted_mean": 0.25 }), 10).is_err());
        assert!(compare("it", &ours, &json!({ "rows": 10 }), 10).is_err());
        assert!(compare("it", &json!({ "count": 5 }), &json!({ "count": 6, "rows": 10 }), 10).is_err());
        assert!(compare("it", &json!({ "count": 5 }), &json!({ "count": 5, "rows": 10 }), 10).is_ok());
    }
}
