//! Who writes a column and how often it is read.

use crate::program::{ColumnId, Program};

/// The writer, a reader and the number of readers of every column, as the program was when this was taken.
pub(super) struct Uses {
    writers: Vec<Option<(usize, usize)>>,
    readers: Vec<Option<(usize, usize)>>,
    reads: Vec<usize>,
}

impl Uses {
    pub(super) fn of(program: &Program, wanted: &[ColumnId]) -> Self {
        let columns = program.columns.len();
        let mut uses = Self { writers: vec![None; columns], readers: vec![None; columns], reads: vec![0; columns] };
        for (at, step) in program.steps.iter().enumerate() {
            for (position, output) in step.outputs.iter().enumerate() {
                uses.writers[output.index()] = Some((at, position));
            }
            for (position, input) in step.inputs.iter().enumerate() {
                uses.readers[input.index()] = Some((at, position));
                uses.reads[input.index()] += 1;
            }
        }
        wanted.iter().for_each(|column| uses.reads[column.index()] += 1);
        uses
    }

    /// The step that writes a column, and the column's position among its outputs; `None` for an input of the program and
    /// for a column that did not exist yet.
    pub(super) fn writer(&self, column: ColumnId) -> Option<(usize, usize)> {
        self.writers.get(column.index()).copied().flatten()
    }

    /// The one step that reads a column, and the column's position among its inputs; `None` if nobody reads it, or several do.
    pub(super) fn reader(&self, column: ColumnId) -> Option<(usize, usize)> {
        self.readers.get(column.index()).copied().flatten().filter(|_| self.is_read_once(column))
    }

    /// Whether one step reads a column at one place, and nobody else does.
    pub(super) fn is_read_once(&self, column: ColumnId) -> bool {
        self.reads.get(column.index()) == Some(&1)
    }
}
