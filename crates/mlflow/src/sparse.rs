//! Sparse matrices of SciPy, as MLflow writes them into JSON.

use serde::Deserialize;
use serde_json::Value;

use crate::example::ROWS_MAX;

/// Most cells that a matrix is written out to.
const CELLS_MAX: usize = 1 << 20;

/// What is kept together in a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compressed {
    /// The cells of a row.
    Rows,
    /// The cells of a column.
    Columns,
}

/// The cells of a matrix that are not zero, line by line: a line is a row or a column.
#[derive(Debug, Deserialize)]
pub(crate) struct Sparse {
    /// `null` for what was not a number.
    data: Vec<Option<f64>>,
    /// Where in its line each of them is.
    indices: Vec<usize>,
    /// Where each line begins, and where the last one ends.
    indptr: Vec<usize>,
    /// Rows and columns.
    shape: (usize, usize),
}

impl Sparse {
    /// The first rows with all their cells.
    pub(crate) fn rows(&self, compressed: Compressed) -> Result<Vec<Value>, String> {
        let (rows, width) = self.shape;
        let lines = if compressed == Compressed::Rows { rows } else { width };
        self.check(lines)?;
        if width > CELLS_MAX {
            return Err(format!("a row of it has {width} values, more than {CELLS_MAX}"));
        }
        let shown = rows.min(ROWS_MAX).min(CELLS_MAX / width.max(1));
        let mut cells = vec![Some(0.0); shown * width];
        for (line, ends) in self.indptr.windows(2).enumerate() {
            for at in ends[0]..ends[1] {
                let (row, column) = match compressed {
                    Compressed::Rows => (line, self.indices[at]),
                    Compressed::Columns => (self.indices[at], line),
                };
                if row >= rows || column >= width {
                    return Err(format!("it has a value at row {row}, column {column}, and {rows} rows of {width}"));
                }
                if row < shown {
                    let cell = &mut cells[row * width + column];
                    // As in SciPy, a place that is named twice has the sum.
                    *cell = cell.zip(self.data[at]).map(|(one, other)| one + other);
                }
            }
        }
        let value = |cell: &Option<f64>| cell.map_or(Value::Null, Value::from);
        Ok((0..shown).map(|row| Value::Array(cells[row * width..][..width].iter().map(value).collect())).collect())
    }

    fn check(&self, lines: usize) -> Result<(), String> {
        let (values, places) = (self.data.len(), self.indices.len());
        if values != places {
            return Err(format!("it has {values} values at {places} places"));
        }
        let ascends = self.indptr.is_sorted() && self.indptr.first() == Some(&0) && self.indptr.last() == Some(&values);
        if !ascends || self.indptr.len() - 1 != lines {
            return Err(format!("its `indptr` does not divide {values} values into {lines} lines"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(matrix: Value, compressed: Compressed) -> Result<Vec<Value>, String> {
        serde_json::from_value::<Sparse>(matrix).map_err(|error| error.to_string())?.rows(compressed)
    }

    /// What `scipy.sparse.csr_matrix` and `csc_matrix` have for the same cells, and what their `toarray` gives.
    #[test]
    fn both_kinds_are_written_out_as_scipy_does() {
        let by_row =
            json!({"data": [1.0, null, 2.5, 4.0], "indices": [0, 2, 1, 1], "indptr": [0, 2, 2, 4], "shape": [3, 3]});
        let by_column =
            json!({"data": [1.0, 2.5, 4.0, null], "indices": [0, 2, 2, 0], "indptr": [0, 1, 3, 4], "shape": [3, 3]});
        let expected = [json!([1.0, 0.0, null]), json!([0.0, 0.0, 0.0]), json!([0.0, 6.5, 0.0])];
        assert_eq!(rows(by_row, Compressed::Rows).expect("sound"), expected);
        assert_eq!(rows(by_column, Compressed::Columns).expect("sound"), expected);
        let none = json!({"data": [], "indices": [], "indptr": [0], "shape": [0, 3]});
        assert_eq!(rows(none, Compressed::Rows).expect("sound"), [Value::Null; 0]);
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        let refused = |data: Value, indices: Value, indptr: Value, shape: Value| {
            let matrix = json!({"data": data, "indices": indices, "indptr": indptr, "shape": shape});
            rows(matrix, Compressed::Rows).expect_err("refused")
        };
        insta::assert_snapshot!(refused(json!([1.0]), json!([]), json!([0, 1]), json!([1, 2])), @"it has 1 values at 0 places");
        insta::assert_snapshot!(refused(json!([1.0]), json!([0]), json!([0, 9, 1]), json!([2, 2])), @"its `indptr` does not divide 1 values into 2 lines");
        insta::assert_snapshot!(refused(json!([1.0]), json!([0]), json!([]), json!([0, 2])), @"its `indptr` does not divide 1 values into 0 lines");
        insta::assert_snapshot!(refused(json!([1.0]), json!([7]), json!([0, 1]), json!([1, 2])), @"it has a value at row 0, column 7, and 1 rows of 2");
        insta::assert_snapshot!(refused(json!([]), json!([]), json!([0, 0]), json!([1, 1_u64 << 60])), @"a row of it has 1152921504606846976 values, more than 1048576");
    }
}
