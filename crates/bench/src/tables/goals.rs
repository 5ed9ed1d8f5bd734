//! What whole tables are to take, beside what they take.

use super::cases::{Case, DUCKDB_ARROW, DUCKDB_SQL, PANDAS, POLARS, PYARROW, Peer, SPARK, Task};
use super::{FLOOR, FORETELL, Measured, Runs};
use crate::report::{Grid, times};

/// Everyone who calls onnxruntime from a table in memory or from DuckDB.
const ONNXRUNTIME: [&Peer; 4] = [&PANDAS, &PYARROW, &POLARS, &DUCKDB_ARROW];

/// One goal of saving a table.
enum Goal {
    /// At most so many times the floor.
    Floor(f64),
    /// So many times as fast as the fastest of these.
    Faster(&'static [&'static Peer], f64),
    /// Less memory than anyone.
    LeastMemory,
}

const LINEAR: &[Goal] = &[
    Goal::Floor(1.1),
    Goal::Faster(&[&POLARS], 1.2),
    Goal::Faster(&[&DUCKDB_ARROW], 2.5),
    Goal::Faster(&[&SPARK], 15.0),
];

const BOOSTING: &[Goal] = &[
    Goal::Floor(1.3),
    Goal::Faster(&ONNXRUNTIME, 8.0),
    Goal::Faster(&[&SPARK], 20.0),
    Goal::Faster(&[&DUCKDB_SQL], 40.0),
    Goal::LeastMemory,
];

/// The goals for what was measured.
pub fn grid(measured: &[(&Case, Measured)]) -> Grid {
    let mut grid = Grid::new(["model", "goal", "wanted", "reached", ""].map(str::to_owned).to_vec());
    for (case, runs) in measured.iter().filter(|(case, _)| case.task == Task::Save) {
        let goals = if case.model == "linear" { LINEAR } else { BOOSTING };
        for (what, wanted, reached, is_reached) in goals.iter().filter_map(|goal| line(goal, runs)) {
            let is_reached = if is_reached { "yes" } else { "no" };
            grid.push(vec![case.model.to_owned(), what, wanted, reached, is_reached.to_owned()]);
        }
    }
    grid
}

fn line(goal: &Goal, runs: &Measured) -> Option<(String, String, String, bool)> {
    let seconds = |name: &str| runs.get(name).map(|runs| runs.seconds_per_row.median());
    let ours = seconds(FORETELL)?;
    Some(match goal {
        Goal::Floor(wanted) => {
            let ratio = ours / seconds(FLOOR)?;
            (format!("the time of {FLOOR}"), format!("at most {}", times(*wanted)), times(ratio), ratio <= *wanted)
        }
        Goal::Faster(peers, wanted) => {
            let found = peers.iter().filter_map(|peer| Some((peer.title, seconds(peer.title)?)));
            let (name, fastest) = found.min_by(|left, right| left.1.total_cmp(&right.1))?;
            let ratio = fastest / ours;
            (format!("times as fast as {name}"), times(*wanted), times(ratio), ratio >= *wanted)
        }
        Goal::LeastMemory => {
            let own = |name: &str| [FORETELL, FLOOR].contains(&name);
            let least = runs.iter().filter(|(name, _)| !own(name)).map(|(_, runs): (_, &Runs)| runs.peak_mb).min()?;
            let ours = runs.get(FORETELL)?.peak_mb;
            ("peak of memory".to_owned(), format!("below {least} MB"), format!("{ours} MB"), ours < least)
        }
    })
}
