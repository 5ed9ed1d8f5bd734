//! What is done to a table, and by whom.

/// Something that is done to a table, with one model.
pub struct Case {
    /// As `--models` names it.
    pub model: &'static str,
    pub task: Task,
    pub title: &'static str,
    /// The file that foretell has: the model as it was exported.
    pub ours: &'static str,
    /// The file that peers have: for the linear model, the form that is fastest in onnxruntime.
    pub theirs: &'static str,
    pub peers: &'static [&'static Peer],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Parquet in, a column and the probability out as Parquet.
    Save,
    /// The number of rows with a probability above [`ABOVE`].
    Filter,
}

/// What a filter asks for.
pub const ABOVE: f64 = 0.75;

/// A peer of `peers/tables.py`.
pub struct Peer {
    /// As `peers/tables.py` and `--peers` name it.
    pub name: &'static str,
    /// As the report names it.
    pub title: &'static str,
    /// With trees it is so slow that it gets no more rows than these; its rate is compared.
    pub tree_rows_max: usize,
}

impl Task {
    /// As `peers/tables.py` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Filter => "filter",
        }
    }
}

pub static POLARS: Peer = Peer { name: "polars", title: "polars + onnxruntime", tree_rows_max: usize::MAX };
pub static PYARROW: Peer = Peer { name: "pyarrow", title: "pyarrow + onnxruntime", tree_rows_max: usize::MAX };
pub static PANDAS: Peer = Peer { name: "pandas", title: "pandas + onnxruntime", tree_rows_max: usize::MAX };
pub static DUCKDB_ARROW: Peer =
    Peer { name: "duckdb-arrow", title: "DuckDB, Arrow function on onnxruntime", tree_rows_max: usize::MAX };
pub static DUCKDB_SQL: Peer = Peer { name: "duckdb-sql", title: "DuckDB, the model as SQL", tree_rows_max: 1_000_000 };
pub static SPARK: Peer = Peer { name: "spark", title: "PySpark, pandas_udf on onnxruntime", tree_rows_max: usize::MAX };

const ALL: &[&Peer] = &[&POLARS, &PYARROW, &PANDAS, &DUCKDB_ARROW, &DUCKDB_SQL, &SPARK];

/// All cases.
pub static CASES: [Case; 4] = [
    Case {
        model: "linear",
        task: Task::Save,
        title: "Scaler + logistic regression, Parquet to Parquet",
        ours: "linear.onnx",
        theirs: "linear_folded.onnx",
        peers: ALL,
    },
    Case {
        model: "boosting",
        task: Task::Save,
        title: "Gradient boosting, 100 trees of depth 6, Parquet to Parquet",
        ours: "xgboost_100x6.onnx",
        theirs: "xgboost_100x6.onnx",
        peers: ALL,
    },
    Case {
        model: "linear",
        task: Task::Filter,
        title: "Scaler + logistic regression, rows with a probability above 0.75 counted",
        ours: "linear.onnx",
        theirs: "linear_folded.onnx",
        peers: &[&POLARS, &DUCKDB_ARROW, &DUCKDB_SQL],
    },
    Case {
        model: "boosting",
        task: Task::Filter,
        title: "Gradient boosting, 100 trees of depth 6, rows with a probability above 0.75 counted",
        ours: "xgboost_100x6.onnx",
        theirs: "xgboost_100x6.onnx",
        peers: &[&POLARS, &DUCKDB_ARROW],
    },
];
