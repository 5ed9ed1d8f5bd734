//! What the kernels are to reach, beside what they do.

use std::collections::BTreeMap;

use super::Times;
use super::cases::{AVX2, CASES, DICTIONARIES, FORETELL, WITHOUT_SQL};
use crate::measure::Sample;
use crate::report::{Grid, times};

/// One goal, for batches of the middle size and one thread unless it says otherwise.
pub struct Goal {
    model: &'static str,
    engine: &'static str,
    wanted: Wanted,
}

enum Wanted {
    /// So many times as fast as another engine.
    Ratio(&'static str, f64),
    /// Such a share of the speed at which memory is read, with so many bytes in a row.
    Bandwidth { bytes: f64, share: f64 },
    /// One row in so many microseconds.
    Microseconds(f64),
    /// So many times as fast with two threads as with one.
    TwoThreads(f64),
}

const fn ratio(model: &'static str, peer: &'static str, wanted: f64) -> Goal {
    Goal { model, engine: FORETELL, wanted: Wanted::Ratio(peer, wanted) }
}

const fn avx2(model: &'static str, peer: &'static str, wanted: f64) -> Goal {
    Goal { engine: AVX2, ..ratio(model, peer, wanted) }
}

const fn one_row(model: &'static str, microseconds: f64) -> Goal {
    Goal { model, engine: WITHOUT_SQL, wanted: Wanted::Microseconds(microseconds) }
}

const fn two_threads(model: &'static str) -> Goal {
    Goal { model, engine: FORETELL, wanted: Wanted::TwoThreads(1.9) }
}

/// All goals. Those of gradient boosting are for AVX-512, unless they say otherwise.
pub const GOALS: [Goal; 34] = [
    ratio("xgboost-100x6", "onnxruntime", 25.0),
    ratio("xgboost-100x6", "xgboost", 10.0),
    ratio("lightgbm-100x6", "onnxruntime", 25.0),
    ratio("lightgbm-100x6", "lleaves", 10.0),
    ratio("lightgbm-100x6", "lightgbm", 40.0),
    avx2("xgboost-100x6", "onnxruntime", 10.0),
    avx2("xgboost-100x6", "xgboost", 4.0),
    avx2("lightgbm-100x6", "onnxruntime", 10.0),
    ratio("xgboost-500x8", "onnxruntime", 18.0),
    ratio("xgboost-500x8", "xgboost", 7.0),
    ratio("lightgbm-500x255", "onnxruntime", 18.0),
    ratio("lightgbm-500x255", "lightgbm", 40.0),
    ratio("digits", "onnxruntime", 10.0),
    ratio("forest", "onnxruntime", 7.0),
    ratio("linear", "onnxruntime", 25.0),
    ratio("linear", "onnxruntime, folded by hand", 1.3),
    Goal { model: "linear", engine: FORETELL, wanted: Wanted::Bandwidth { bytes: 112.0, share: 0.8 } },
    ratio("census", "onnxruntime", 25.0),
    Goal { model: "census", engine: DICTIONARIES, wanted: Wanted::Ratio("onnxruntime", 80.0) },
    ratio("perceptron", "onnxruntime", 1.0),
    ratio("minilm", "onnxruntime", 0.8),
    one_row("xgboost-100x6", 3.0),
    one_row("lightgbm-100x6", 3.0),
    one_row("census", 2.0),
    two_threads("linear"),
    two_threads("xgboost-100x6"),
    two_threads("lightgbm-100x6"),
    two_threads("xgboost-500x8"),
    two_threads("lightgbm-500x255"),
    two_threads("digits"),
    two_threads("forest"),
    two_threads("census"),
    two_threads("perceptron"),
    two_threads("minilm"),
];

/// The goals for what was measured; `bandwidth` is in bytes per second.
pub fn grid(goals: &[Goal], measured: &BTreeMap<&'static str, Times>, bandwidth: f64) -> Grid {
    let mut grid = Grid::new(["model", "goal", "wanted", "reached", ""].map(str::to_owned).to_vec());
    for goal in goals {
        if let Some(line) = measured.get(goal.model).and_then(|of_model| line(goal, of_model, bandwidth)) {
            grid.push(line);
        }
    }
    grid
}

fn line(goal: &Goal, measured: &Times, bandwidth: f64) -> Option<Vec<String>> {
    let batch = CASES.iter().find(|case| case.name == goal.model)?.batches[1];
    let seconds = |engine, threads, batch| measured.get(&(engine, threads, batch)).map(Sample::median);
    let ours = |threads, batch| seconds(goal.engine, threads, batch);
    let (what, wanted, reached, is_reached) = match goal.wanted {
        Wanted::Ratio(peer, wanted) => {
            let ratio = seconds(peer, 1, batch)? / ours(1, batch)?;
            (format!("times as fast as {peer}"), times(wanted), times(ratio), ratio >= wanted)
        }
        Wanted::Bandwidth { bytes, share } => {
            let reached = bytes / ours(1, batch)? / bandwidth;
            let percent = |share: f64| format!("{:.0} %", share * 100.0);
            ("of the speed of memory".to_owned(), percent(share), percent(reached), reached >= share)
        }
        Wanted::Microseconds(wanted) => {
            let reached = ours(1, 1)? * 1e6;
            let text = |microseconds: f64| format!("{microseconds:.1} us");
            ("one row without SQL".to_owned(), text(wanted), text(reached), reached <= wanted)
        }
        Wanted::TwoThreads(wanted) => {
            let ratio = ours(1, batch)? / ours(2, batch)?;
            ("two threads over one".to_owned(), times(wanted), times(ratio), ratio >= wanted)
        }
    };
    let who = if goal.engine == FORETELL { goal.model.to_owned() } else { format!("{}: {}", goal.model, goal.engine) };
    Some(vec![who, what, wanted, reached, if is_reached { "yes" } else { "no" }.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_about_what_is_measured() {
        for goal in &GOALS {
            let case = CASES.iter().find(|case| case.name == goal.model).expect(goal.model);
            let has = |name| case.engines.iter().any(|engine| engine.name == name);
            assert!(has(goal.engine), "{} has no {}", goal.model, goal.engine);
            if let Wanted::Ratio(peer, _) = goal.wanted {
                assert!(has(peer), "{} has no {peer}", goal.model);
            }
        }
    }

    #[test]
    fn a_ratio_is_the_peers_time_over_ours() {
        let mut of_model = Times::new();
        of_model.entry((FORETELL, 1, 8_192)).or_default().push(1e-8);
        of_model.entry(("onnxruntime", 1, 8_192)).or_default().push(2e-7);
        let measured = BTreeMap::from([("xgboost-100x6", of_model)]);
        let text = grid(&GOALS, &measured, 1e10).to_string();
        assert!(text.contains(" 25.0x |"), "{text}");
        assert!(text.contains(" 20.0x |"), "{text}");
        assert!(text.contains(" no |"), "{text}");
    }
}
