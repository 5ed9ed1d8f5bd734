//! Predictions over rows in memory, by foretell through SQL and by everyone else whom a user could call.
//!
//! Every engine is a process of its own. Those of one model take turns, batch size by batch size and round by round, so that
//! whatever else the machine does meets all of them; answers are compared before anything is timed.

mod cases;
mod check;
mod foretell;
mod goals;
mod instructions;
mod plans;
mod rows;
mod stream;
mod tract;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ::foretell::model::instructions::{Level, limit};
use ::foretell::model::{LoadOptions, Model};
use lexopt::{Arg, Parser, ValueExt};

use self::cases::{CASES, Case, Engine, Kind};
use self::foretell::{Call, ModelEngine, SqlEngine};
use self::goals::GOALS;
use self::tract::{CHUNK_ROWS, PlanKind, TractEngine};
use self::worker::{Answers, Worker};
use crate::Result;
use crate::measure::Sample;
use crate::report::{Grid, Report, locked_version, per_second, times};

pub use self::instructions::{ONE_ROW, one_row, run as count_instructions};
pub use self::plans::run as compare_plans;

/// The command that runs one engine in a process of its own.
pub const WORKER: &str = "worker";

/// What a worker is told that may use whatever the processor has.
const ALL_INSTRUCTIONS: &str = "all";
/// Threads that are measured.
const THREADS: [usize; 2] = [1, 2];
/// Between one engine and the next: the threads of onnxruntime wait for more work in a loop before they sleep.
const PAUSE: Duration = Duration::from_millis(20);
/// An engine whose rounds take longer has fewer, at least one.
const ROUNDS_SECONDS_MAX: f64 = 2.0;

/// What the flags say.
struct Options {
    /// Where `make_models.py` wrote.
    folder: PathBuf,
    /// A Python that has the peers.
    python: Option<PathBuf>,
    models: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    batches: Option<Vec<usize>>,
    rounds: usize,
    /// How long one engine predicts in one round.
    seconds: f64,
    is_quick: bool,
    results: Option<PathBuf>,
}

/// Times of an engine by threads and batch.
type Times = BTreeMap<(&'static str, usize, usize), Sample>;

/// What was measured of a model.
#[derive(Default)]
struct Measured {
    /// Seconds that reading the model took, by engine.
    loads: BTreeMap<&'static str, f64>,
    /// Seconds of a row, by engine, threads and batch.
    rows: Times,
}

/// `kernels DIR [--python PATH] [--models A,B] [--peers A,B] [--rows 1,8192] [--rounds N] [--quick] [--results PATH]`
pub fn run(parser: Parser) -> Result<()> {
    let options = Options::parse(parser)?;
    let mut report = Report::new("Kernels")?;
    let bandwidth = THREADS.map(|threads| (threads, stream::bandwidth(threads)));
    for (threads, bytes) in bandwidth {
        report.line(&format!("Memory is read at {:.1} GB/s by {}.", bytes / 1e9, threads_text(threads)));
    }
    let mut measured = BTreeMap::new();
    for case in CASES.iter().filter(|case| options.has_model(case.name)) {
        let of_case = options.measure(case, &mut report)?;
        report.title(case.title);
        report.grid(&options.grid(case, &of_case));
        measured.insert(case.name, of_case.rows);
    }
    report.title("Goals");
    report.grid(&goals::grid(&GOALS, &measured, bandwidth[0].1));
    report.finish(options.results.as_deref())
}

impl Options {
    fn parse(mut parser: Parser) -> Result<Self> {
        let mut options = Self {
            folder: PathBuf::new(),
            python: None,
            models: None,
            peers: None,
            batches: None,
            rounds: 5,
            seconds: 0.15,
            is_quick: false,
            results: None,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Value(folder) if options.folder.as_os_str().is_empty() => options.folder = folder.into(),
                Arg::Long("python") => options.python = Some(parser.value()?.into()),
                Arg::Long("models") => options.models = Some(crate::list(&parser.value()?.string()?)),
                Arg::Long("peers") => options.peers = Some(crate::list(&parser.value()?.string()?)),
                Arg::Long("rows") => {
                    let rows = crate::list(&parser.value()?.string()?);
                    options.batches = Some(rows.iter().map(|rows| rows.parse()).collect::<Result<_, _>>()?);
                }
                Arg::Long("rounds") => options.rounds = parser.value()?.parse()?,
                Arg::Long("quick") => (options.is_quick, options.rounds, options.seconds) = (true, 3, 0.05),
                Arg::Long("results") => options.results = Some(parser.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        options.complete()
    }

    /// Refuses names that nothing has, and knows where to write what is complete.
    fn complete(mut self) -> Result<Self> {
        self.folder = crate::made_folder(&self.folder)?;
        crate::check_names("model", self.models.as_deref(), &CASES.map(|case| case.name))?;
        let engines: Vec<&str> = CASES.iter().flat_map(|case| case.engines).map(|engine| engine.name).collect();
        crate::check_names("peer", self.peers.as_deref(), &engines)?;
        let is_whole = self.models.is_none() && self.peers.is_none() && self.batches.is_none() && !self.is_quick;
        if is_whole && self.python.is_some() && self.results.is_none() {
            self.results = Some(crate::report::results_file());
        }
        Ok(self)
    }

    fn has_model(&self, name: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|model| model == name))
    }

    /// Whether an engine takes part. foretell does, since all others are compared with it, as far as the processor goes.
    fn has_engine(&self, engine: &Engine) -> bool {
        let has_instructions = engine.level.is_none_or(|level| level <= Level::of_processor());
        let is_there = has_instructions && (self.python.is_some() || !matches!(engine.kind, Kind::Python(_)));
        let is_ours = matches!(engine.kind, Kind::Sql { .. } | Kind::Model);
        is_there && (is_ours || self.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| peer == engine.name)))
    }

    fn engines(&self, case: &'static Case) -> impl Iterator<Item = &'static Engine> {
        case.engines.iter().filter(|engine| self.has_engine(engine))
    }

    fn batches(&self, case: &Case) -> Vec<usize> {
        let wanted = |batch: &usize| self.batches.as_ref().is_none_or(|batches| batches.contains(batch));
        case.batches.into_iter().filter(wanted).collect()
    }

    /// Measures all engines of a model.
    fn measure(&self, case: &'static Case, report: &mut Report) -> Result<Measured> {
        let mut measured = Measured::default();
        for threads in THREADS {
            let mut workers = Vec::new();
            for engine in self.engines(case).filter(|engine| engine.takes(threads)) {
                let worker = Worker::start(engine.name, &mut self.command(case, engine, threads)?)?;
                report.version(engine.library(), &worker.version);
                measured.loads.entry(engine.name).or_insert(worker.load_seconds);
                workers.push((engine, worker));
            }
            if threads == THREADS[0] {
                compare(case, &mut workers, report)?;
            }
            for batch in self.batches(case) {
                self.measure_batch(batch, &mut workers, |engine, seconds_per_row| {
                    measured.rows.entry((engine.name, threads, batch)).or_default().push(seconds_per_row);
                })?;
            }
        }
        Ok(measured)
    }

    /// Lets the engines take turns, and tells what a row took in each.
    fn measure_batch(
        &self,
        batch: usize,
        workers: &mut [(&'static Engine, Worker)],
        mut tell: impl FnMut(&'static Engine, f64),
    ) -> Result<()> {
        let mut spent = vec![0.0; workers.len()];
        for round in 0..=self.rounds {
            for ((engine, worker), spent) in workers.iter_mut().zip(&mut spent) {
                // The first round warms up; after it, what takes long is not repeated.
                if batch > engine.batch_max || (round > 1 && *spent > ROUNDS_SECONDS_MAX) {
                    continue;
                }
                thread::sleep(PAUSE);
                let timing = worker.run(batch, self.seconds)?;
                if round > 0 {
                    *spent += timing.seconds;
                    tell(engine, timing.seconds / timing.rows as f64);
                }
            }
        }
        Ok(())
    }

    /// The process of an engine.
    fn command(&self, case: &Case, engine: &Engine, threads: usize) -> Result<Command> {
        let model = self.folder.join("models").join(engine.model);
        let rows = self.folder.join("data").join(case.rows);
        let classifier = if case.is_classifier { "classifier" } else { "other" };
        let mut command = match (engine.kind, &self.python) {
            (Kind::Python(peer), Some(python)) => {
                let mut command = Command::new(python);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/kernels.py")).arg(peer);
                command.arg(model).arg(rows).args(["--threads", &threads.to_string()]);
                return Ok(command);
            }
            (Kind::Python(peer), None) => return Err(format!("`{peer}` needs --python").into()),
            _ => Command::new(std::env::current_exe()?),
        };
        let level = engine.level.map_or(ALL_INSTRUCTIONS, Level::name);
        command.arg(WORKER).arg(model).arg(rows).arg(threads.to_string()).arg(level).arg(classifier);
        match engine.kind {
            Kind::Sql { function, text } => command.args(["sql", function, text]),
            Kind::Model => command.arg("model"),
            Kind::Tract | Kind::Python(_) => command.arg("tract"),
        };
        Ok(command)
    }

    fn grid(&self, case: &'static Case, measured: &Measured) -> Grid {
        let batches = self.batches(case);
        let columns: Vec<(usize, usize)> =
            THREADS.into_iter().flat_map(|threads| batches.iter().map(move |batch| (threads, *batch))).collect();
        let mut head = vec!["rows per second".to_owned(), "load".to_owned()];
        head.extend(
            columns.iter().map(|(threads, batch)| format!("{}, {}", batch_text(*batch), threads_text(*threads))),
        );
        let mut grid = Grid::new(head);
        for engine in self.engines(case) {
            let load = measured.loads.get(engine.name).map_or_else(String::new, |load| format!("{:.0} ms", load * 1e3));
            let mut line = vec![engine.name.to_owned(), load];
            for &(threads, batch) in &columns {
                let ours = measured.rows.get(&(cases::FORETELL, threads, batch)).map(Sample::median);
                line.push(measured.rows.get(&(engine.name, threads, batch)).map_or_else(String::new, |sample| {
                    let ratio = ours.filter(|_| engine.name != cases::FORETELL).map(|ours| sample.median() / ours);
                    let ratio = ratio.map_or_else(String::new, |ratio| format!(", {}", times(ratio)));
                    format!("{} ±{:.0} %{ratio}", per_second(1.0 / sample.median()), sample.spread() * 100.0)
                }));
            }
            grid.push(line);
        }
        grid
    }
}

/// Fails if somebody answers otherwise than foretell.
fn compare(case: &Case, workers: &mut [(&'static Engine, Worker)], report: &mut Report) -> Result<()> {
    let mut ours: Option<Answers> = None;
    for (engine, worker) in workers {
        let rows = engine.compared_rows.min(case.batches[2]);
        let answers = worker.answers(rows)?;
        let Some(ours) = &ours else {
            ours = Some(answers);
            continue;
        };
        let ours = Answers { values: ours.values[..rows * ours.width].to_vec(), width: ours.width };
        let differing = check::compare(engine.name, &ours, &answers, engine.differing_max)
            .map_err(|error| format!("{}: {error}", case.name))?;
        if differing > 0 {
            let name = engine.name;
            report.note(&format!("{}: {name} differs in {differing} of {rows} rows, at thresholds.", case.name));
        }
    }
    Ok(())
}

/// `worker MODEL ROWS THREADS all|LEVEL classifier|other sql FUNCTION TEXT | model | tract`
pub fn work(mut parser: Parser) -> Result<()> {
    let model = PathBuf::from(parser.value()?);
    let rows = PathBuf::from(parser.value()?);
    let threads: usize = parser.value()?.parse()?;
    limit_instructions(&parser.value()?.string()?)?;
    let is_classifier = parser.value()? == "classifier";
    let engine = parser.value()?.string()?;
    let ours = env!("CARGO_PKG_VERSION");
    match engine.as_str() {
        "sql" => {
            let (function, text) = (parser.value()?.string()?, parser.value()?.string()?);
            let call = Call { function: &function, text: &text, is_classifier };
            let mut engine = SqlEngine::open(&model, &rows, threads, &call)?;
            let load_seconds = engine.load_seconds;
            worker::serve(&mut engine, ours, load_seconds)
        }
        "model" => {
            let start = Instant::now();
            let model = Model::from_bytes(&std::fs::read(&model)?, &LoadOptions::default())?;
            let load_seconds = start.elapsed().as_secs_f64();
            worker::serve(
                &mut ModelEngine::new(model, rows::read(&rows, "Utf8View", usize::MAX)?, is_classifier),
                ours,
                load_seconds,
            )
        }
        "tract" => {
            let rows = rows::matrices(&rows::read(&rows, "Utf8View", usize::MAX)?)?;
            let mut engine = TractEngine::new(&model, &rows, threads, CHUNK_ROWS, PlanKind::Specialised);
            let start = Instant::now();
            engine.plan(1)?;
            worker::serve(&mut engine, &locked_version("tract-onnx"), start.elapsed().as_secs_f64())
        }
        other => Err(format!("no engine `{other}`").into()),
    }
}

/// Keeps the kernels of this process to a level of instructions.
fn limit_instructions(name: &str) -> Result<()> {
    match Level::ALL.into_iter().find(|level| level.name() == name) {
        Some(level) => Ok(limit(level)?),
        None if name == ALL_INSTRUCTIONS => Ok(()),
        None => {
            let names = Level::ALL.map(Level::name).join(", ");
            Err(format!("no instructions `{name}`; there are {ALL_INSTRUCTIONS}, {names}").into())
        }
    }
}

fn threads_text(threads: usize) -> &'static str {
    if threads == 1 { "one thread" } else { "two threads" }
}

fn batch_text(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
