//! What was chosen for an ensemble, in words.

use std::fmt;

use super::engine::Engine;
use super::plan::Form;
use crate::real::Real;

/// How an ensemble is evaluated on this processor, and why: see its `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel(Option<Choice>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    instructions: String,
    symmetric: usize,
    complete: usize,
    divided: usize,
    upper: usize,
    groups: usize,
    block_rows: usize,
    block_rows_min: usize,
}

impl Kernel {
    pub(super) fn of<T: Real>(engine: Option<&Engine<T>>) -> Self {
        Self(engine.map(|engine| {
            let program = &engine.plan.program;
            let count =
                |is: fn(Form) -> bool| program.trees.iter().filter(|tree| !tree.goes_on && is(tree.form)).count();
            Choice {
                instructions: engine.instructions.to_string(),
                symmetric: count(|form| form == Form::Symmetric),
                complete: count(|form| matches!(form, Form::Complete(_))),
                divided: count(|form| form == Form::Divided),
                upper: program.trees.iter().filter(|tree| tree.goes_on).count(),
                groups: engine.plan.groups.len(),
                block_rows: program.block_rows,
                block_rows_min: engine.block_rows_min,
            }
        }))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(choice) = &self.0 else {
            return write!(f, "row by row, since the trees share too many of their nodes");
        };
        let Choice { instructions, groups, block_rows, block_rows_min, .. } = choice;
        write!(f, "{instructions}, blocks of {block_rows} rows")?;
        let forms = [
            (choice.symmetric, "with one question per level"),
            (choice.complete, "with all questions of a complete tree"),
            (choice.divided, "with all questions in order"),
            (choice.upper, "of which the upper questions are asked of all rows, since they have over 256 leaves"),
        ];
        for (count, form) in forms.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} trees {form}")?;
        }
        if *groups > 1 {
            write!(f, ", features coded {groups} times, since one of them has over 255 thresholds")?;
        }
        if *block_rows_min > 1 {
            write!(f, ", fewer than {block_rows_min} rows one by one")?;
        }
        Ok(())
    }
}
