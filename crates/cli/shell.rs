//! Runs statements and prints what they return: the part that the prompt and scripts share.
//!
//! A statement runs on the worker threads and hands over batch by batch, while this thread prints and listens for
//! Ctrl-C: it is heard even if all workers are deep in a computation, and a slow reader of the output slows the query
//! down instead of filling memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use foretell::{Outcome, Session};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::print::{self, Format, Printer, Screen};

/// Batches that may wait to be printed.
const BATCHES_WAITING: usize = 2;

/// How results are shown; the commands of the prompt change it.
#[derive(Clone, Debug)]
pub struct Display {
    /// The shape of results.
    pub format: Format,
    /// Whether tables have a line per value.
    pub expanded: bool,
    /// Whether the elapsed time is told.
    pub timing: bool,
    /// Rows of a table shown at the prompt; `None`: all.
    pub rows_max: Option<usize>,
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
}

/// A session and the place where its results go.
pub struct Shell {
    /// How results are shown.
    pub display: Display,
    session: Session,
    /// Where statements are computed.
    workers: Handle,
    out: Box<dyn Write>,
    /// Whether results go to a file that the user named.
    redirected: bool,
    /// Whether a person sits at a prompt.
    interactive: bool,
}

impl Shell {
    /// A shell that computes on `workers` and prints to standard output.
    pub fn new(session: Session, workers: Handle, format: Format, interactive: bool) -> Self {
        let display = Display { format, expanded: false, timing: false, rows_max: Some(40), width: None };
        Self { display, session, workers, out: standard_output(), redirected: false, interactive }
    }

    /// The session whose statements are run.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where statements are computed.
    pub fn workers(&self) -> &Handle {
        &self.workers
    }

    /// Sends results to a new file, or back to standard output.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn redirect(&mut self, path: Option<&Path>) -> Result<(), Failure> {
        self.out.flush()?;
        self.out = match path {
            Some(path) => {
                let file = File::create(path)
                    .map_err(|error| Failure::message(format!("cannot write `{}`: {error}", path.display())))?;
                Box::new(BufWriter::new(file))
            }
            None => standard_output(),
        };
        self.redirected = path.is_some();
        Ok(())
    }

    /// Prints text that is an answer.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Runs one statement and prints its result. Dropping the future cancels the statement.
    ///
    /// # Errors
    /// The statement fails, or the output cannot be written.
    pub async fn run(&mut self, statement: &str) -> Result<(), Failure> {
        self.run_limited(statement, self.display.rows_max).await
    }

    /// Runs one statement and prints its result with all rows: for lists that are looked things up in.
    ///
    /// # Errors
    /// As for [`Shell::run`].
    pub async fn run_whole(&mut self, statement: &str) -> Result<(), Failure> {
        self.run_limited(statement, Some(usize::MAX)).await
    }

    async fn run_limited(&mut self, statement: &str, rows_max: Option<usize>) -> Result<(), Failure> {
        let rows_max = rows_max.filter(|_| self.on_screen());
        let started = Instant::now();
        let (sender, mut events) = mpsc::channel(BATCHES_WAITING);
        // A set of one, because it cancels its task when it is dropped.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(answer(self.session.clone(), statement.to_owned(), sender), &self.workers);
        let footer = self.show(&mut events, rows_max).await?;
        while let Some(ended) = tasks.join_next().await {
            ended
                .map_err(|error| Failure::message(format!("the statement stopped by a bug in foretell: {error}")))??;
        }
        self.write_footer(footer, started.elapsed())
    }

    /// Prints what the statement hands over until it ends.
    async fn show(&mut self, events: &mut Receiver<Event>, rows_max: Option<usize>) -> Result<Footer, Failure> {
        let mut printer: Option<Box<dyn Printer>> = None;
        let mut rows = 0;
        while let Some(event) = events.recv().await {
            match (event, &mut printer) {
                (Event::Done(message), _) => return Ok(Footer { message, note: None }),
                (Event::Start(schema), _) => printer = Some(self.printer(&schema, rows_max)),
                (Event::Batch(batch), Some(printer)) => {
                    rows += batch.num_rows();
                    printer.write(&batch, &mut self.out)?;
                    self.out.flush()?;
                }
                (Event::End, Some(printer)) => {
                    printer.finish(&mut self.out)?;
                    self.out.flush()?;
                    return Ok(self.rows_told(rows, rows_max, printer.note()));
                }
                (Event::Batch(_) | Event::End, None) => {}
            }
        }
        Ok(Footer::default())
    }

    fn printer(&self, schema: &SchemaRef, rows_max: Option<usize>) -> Box<dyn Printer> {
        match (self.display.format, rows_max) {
            (Format::Table, rows_max) if self.display.expanded => print::expanded_printer(schema, rows_max),
            (Format::Table, Some(rows_max)) if !is_plan(schema) => {
                print::screen_printer(schema, Screen { rows_max, width: self.display.width })
            }
            (format, _) => print::printer(format, schema),
        }
    }

    /// Whether a person sees the result at once.
    fn on_screen(&self) -> bool {
        self.interactive && !self.redirected
    }

    /// What is told after rows: their number, and what of them is not shown.
    fn rows_told(&self, rows: usize, rows_max: Option<usize>, note: Option<String>) -> Footer {
        if self.display.format != Format::Table {
            return Footer::default();
        }
        let mut message = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        if let Some(shown) = rows_max.filter(|max| rows > *max) {
            message.push_str(&format!(" ({shown} shown)"));
        }
        Footer { message, note }
    }

    /// What follows a result. The output of scripts holds results and nothing else, so there the time, if it is
    /// wanted, goes to standard error.
    fn write_footer(&mut self, footer: Footer, elapsed: Duration) -> Result<(), Failure> {
        let time = self.display.timing.then(|| format_elapsed(elapsed));
        if self.interactive {
            let line = footer.line(time);
            if !line.is_empty() {
                writeln!(io::stdout(), "{line}")?;
            }
        } else if let Some(time) = time {
            // When standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "{time}");
        }
        Ok(())
    }
}

/// What the person at the prompt is told after a statement.
#[derive(Default)]
struct Footer {
    /// What was done or shown; may be empty.
    message: String,
    /// How to see what is not shown.
    note: Option<String>,
}

impl Footer {
    fn line(self, time: Option<String>) -> String {
        let mut line = self.message;
        if let Some(time) = time {
            line = if line.is_empty() { time } else { format!("{line} in {time}") };
        }
        if let Some(note) = self.note {
            line = format!("{line}; {note}");
        }
        line
    }
}

/// Runs `work` until it ends or the user presses Ctrl-C, which drops it.
///
/// It covers whole scripts, so that no moment between two statements is deaf.
///
/// # Errors
/// Those of `work`, and [`Failure::Interrupted`].
pub async fn until_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Err(Failure::Interrupted)
        }
        result = work => result,
    }
}

/// What a running statement hands over.
enum Event {
    /// It returns rows of this shape.
    Start(SchemaRef),
    /// Some of its rows.
    Batch(RecordBatch),
    /// There are no more rows.
    End,
    /// It returns no rows; the text says what it did.
    Done(String),
}

/// Runs the statement and hands over its result. Ends early, without an error, when nobody takes it.
///
/// The shape goes first, but not before there are rows or an end: a statement that fails at once prints nothing.
async fn answer(session: Session, statement: String, events: Sender<Event>) -> Result<(), Failure> {
    let frame = match session.execute(&statement).await? {
        Outcome::Done { message } => {
            let _ = events.send(Event::Done(message)).await;
            return Ok(());
        }
        Outcome::Rows(frame) => frame,
    };
    let mut stream = frame.execute_stream().await?;
    let schema = stream.schema();
    let mut next = stream.next().await.transpose()?;
    if schema.fields().is_empty() {
        // SET and the like: there is nothing to show, but they must run to their end.
        while next.is_some() {
            next = stream.next().await.transpose()?;
        }
        return Ok(());
    }
    if events.send(Event::Start(schema)).await.is_err() {
        return Ok(());
    }
    while let Some(batch) = next {
        if events.send(Event::Batch(batch)).await.is_err() {
            return Ok(());
        }
        next = stream.next().await.transpose()?;
    }
    let _ = events.send(Event::End).await;
    Ok(())
}

/// Whether the result is the answer of EXPLAIN, which is of no use when it is cut.
fn is_plan(schema: &SchemaRef) -> bool {
    schema.fields().iter().map(|field| field.name().as_str()).eq(["plan_type", "plan"])
}

fn standard_output() -> Box<dyn Write> {
    Box::new(BufWriter::with_capacity(1 << 16, io::stdout()))
}

fn format_elapsed(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(1) {
        format!("{:.1} ms", elapsed.as_secs_f64() * 1e3)
    } else {
        format!("{:.2} s", elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_has_a_readable_unit() {
        assert_eq!(format_elapsed(Duration::from_micros(1234)), "1.2 ms");
        assert_eq!(format_elapsed(Duration::from_millis(61_500)), "61.50 s");
    }

    #[test]
    fn the_footer_is_one_line() {
        let footer = |message: &str, note: Option<&str>| Footer { message: message.into(), note: note.map(Into::into) };
        assert_eq!(footer("2 rows", None).line(None), "2 rows");
        assert_eq!(
            footer("2 rows", Some("1 column hidden")).line(Some("3 ms".into())),
            "2 rows in 3 ms; 1 column hidden"
        );
        assert_eq!(footer("", None).line(Some("3 ms".into())), "3 ms");
        assert_eq!(footer("", None).line(None), "");
    }
}
