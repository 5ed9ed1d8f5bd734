//! What is measured: models, and for each the engines that answer it.
//!
//! The models are made by `peers/make_models.py`. Where a library is not here, it cannot load the model, or its answers are
//! wrong: tract has neither scalers nor encoders, and inverts the labels of LightGBM's models; lleaves takes longer to compile
//! 500 trees than all other measurements together.

use foretell::model::instructions::Level;

/// A model and everyone who answers it.
pub struct Case {
    /// As `--models` names it.
    pub name: &'static str,
    /// As the report names it.
    pub title: &'static str,
    /// The file of rows.
    pub rows: &'static str,
    /// Rows of a batch: one, a usual one, a large one.
    pub batches: [usize; 3],
    /// Whether the model is a classifier, whose answers are compared by its probabilities.
    pub is_classifier: bool,
    /// The first is the one that the others are compared with.
    pub engines: &'static [Engine],
}

/// One way to have a model's answers.
pub struct Engine {
    /// As the report and `--peers` name it.
    pub name: &'static str,
    pub kind: Kind,
    /// The model's file.
    pub model: &'static str,
    /// The largest batch that it is given; larger ones would take minutes.
    pub batch_max: usize,
    /// As many rows are compared, if there are.
    pub compared_rows: usize,
    /// Of a thousand rows, so many may differ: those at a threshold, for a library that compares in double precision.
    pub differing_max: usize,
    /// The instructions that foretell's kernels may use; all if none are named. It is for comparison, so with one thread.
    pub level: Option<Level>,
}

impl Engine {
    /// Whether it is measured with so many threads.
    pub fn takes(&self, threads: usize) -> bool {
        threads == 1 || (self.kind != Kind::Model && self.level.is_none())
    }

    /// The library that it is, whose version is told.
    pub fn library(&self) -> &'static str {
        match self.kind {
            Kind::Sql { .. } | Kind::Model => FORETELL,
            Kind::Tract => "tract",
            Kind::Python(peer) => peer,
        }
    }
}

/// Who runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// foretell through SQL: the function that is called, and the type that text columns have.
    Sql { function: &'static str, text: &'static str },
    /// foretell's `Model::run`, without a statement around it.
    Model,
    /// The tract crate.
    Tract,
    /// A peer of `peers/kernels.py`.
    Python(&'static str),
}

/// The name of the engine that ratios are taken to.
pub const FORETELL: &str = "foretell";
/// `Model::run` on one row.
pub const WITHOUT_SQL: &str = "foretell, Model::run";
/// foretell on a processor that has AVX2 and no AVX-512.
pub const AVX2: &str = "foretell, AVX2 only";

const BATCHES: [usize; 3] = [1, 8_192, 65_536];

const fn engine(name: &'static str, kind: Kind, model: &'static str) -> Engine {
    Engine { name, kind, model, batch_max: usize::MAX, compared_rows: 4096, differing_max: 0, level: None }
}

const fn foretell(model: &'static str) -> Engine {
    engine(FORETELL, Kind::Sql { function: "predict", text: "Utf8View" }, model)
}

const fn foretell_probabilities(model: &'static str) -> Engine {
    engine("foretell, predict_proba", Kind::Sql { function: "predict_proba", text: "Utf8View" }, model)
}

const fn foretell_native(name: &'static str, model: &'static str) -> Engine {
    engine(name, Kind::Sql { function: "predict", text: "Utf8View" }, model)
}

const fn avx2(model: &'static str) -> Engine {
    Engine { name: AVX2, level: Some(Level::Avx2), ..foretell(model) }
}

const fn portable(model: &'static str) -> Engine {
    Engine { name: "foretell, portable code", level: Some(Level::Portable), ..foretell(model) }
}

const fn one_row(model: &'static str) -> Engine {
    Engine { batch_max: 1, ..engine(WITHOUT_SQL, Kind::Model, model) }
}

const fn onnxruntime(model: &'static str) -> Engine {
    engine("onnxruntime", Kind::Python("onnxruntime"), model)
}

const fn python(name: &'static str, model: &'static str) -> Engine {
    engine(name, Kind::Python(name), model)
}

/// A library that keeps thresholds in double precision, where the exporter to ONNX rounds them.
const fn double(engine: &Engine) -> Engine {
    Engine { differing_max: 2, ..*engine }
}

/// All models.
pub const CASES: [Case; 14] = [
    Case {
        name: "linear",
        title: "scaler + logistic regression, 28 float32 columns",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("linear.onnx"),
            foretell_probabilities("linear.onnx"),
            avx2("linear.onnx"),
            portable("linear.onnx"),
            one_row("linear.onnx"),
            onnxruntime("linear.onnx"),
            engine("onnxruntime, folded by hand", Kind::Python("onnxruntime"), "linear_folded.onnx"),
            engine("tract, folded by hand", Kind::Tract, "linear_folded.onnx"),
        ],
    },
    Case {
        name: "xgboost-100x6",
        title: "gradient boosting, 100 trees of depth 6 (XGBoost)",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("xgboost_100x6.onnx"),
            foretell_probabilities("xgboost_100x6.onnx"),
            foretell_native("foretell, from .ubj", "xgboost_100x6.ubj"),
            avx2("xgboost_100x6.onnx"),
            portable("xgboost_100x6.onnx"),
            one_row("xgboost_100x6.onnx"),
            onnxruntime("xgboost_100x6.onnx"),
            python("xgboost", "xgboost_100x6.ubj"),
            python("treelite", "xgboost_100x6.ubj"),
        ],
    },
    Case {
        name: "lightgbm-100x6",
        title: "gradient boosting, 100 trees of depth 6 (LightGBM)",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("lightgbm_100x6.onnx"),
            double(&foretell_native("foretell, from .txt", "lightgbm_100x6.txt")),
            avx2("lightgbm_100x6.onnx"),
            one_row("lightgbm_100x6.onnx"),
            onnxruntime("lightgbm_100x6.onnx"),
            double(&python("lightgbm", "lightgbm_100x6.txt")),
            double(&python("lleaves", "lightgbm_100x6.txt")),
            double(&python("treelite", "lightgbm_100x6.txt")),
        ],
    },
    Case {
        name: "xgboost-500x8",
        title: "gradient boosting, 500 trees of depth 8 (XGBoost)",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("xgboost_500x8.onnx"),
            avx2("xgboost_500x8.onnx"),
            one_row("xgboost_500x8.onnx"),
            onnxruntime("xgboost_500x8.onnx"),
            python("xgboost", "xgboost_500x8.ubj"),
            Engine { batch_max: 8_192, ..python("treelite", "xgboost_500x8.ubj") },
        ],
    },
    Case {
        name: "lightgbm-500x255",
        title: "gradient boosting, 500 trees of 255 leaves (LightGBM)",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("lightgbm_500x255.onnx"),
            avx2("lightgbm_500x255.onnx"),
            one_row("lightgbm_500x255.onnx"),
            onnxruntime("lightgbm_500x255.onnx"),
            double(&python("lightgbm", "lightgbm_500x255.txt")),
            Engine { batch_max: 8_192, ..double(&python("treelite", "lightgbm_500x255.txt")) },
        ],
    },
    Case {
        name: "digits",
        title: "random forest, 100 trees of about 200 leaves, 10 classes, 64 columns",
        rows: "digits.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("digits.onnx"),
            foretell_probabilities("digits.onnx"),
            avx2("digits.onnx"),
            one_row("digits.onnx"),
            onnxruntime("digits.onnx"),
            Engine { batch_max: 1, compared_rows: 4, ..engine("tract", Kind::Tract, "digits.onnx") },
        ],
    },
    Case {
        name: "forest",
        title: "random forest, 100 trees of depth 12, 5 classes",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("forest.onnx"),
            foretell_probabilities("forest.onnx"),
            avx2("forest.onnx"),
            one_row("forest.onnx"),
            onnxruntime("forest.onnx"),
        ],
    },
    Case {
        name: "census",
        title: "census pipeline, 8 text columns one-hot, 6 scaled, logistic regression",
        rows: "census.parquet",
        batches: BATCHES,
        is_classifier: true,
        engines: &[
            foretell("census.onnx"),
            engine(DICTIONARIES, Kind::Sql { function: "predict", text: "Dictionary" }, "census.onnx"),
            one_row("census.onnx"),
            onnxruntime("census.onnx"),
        ],
    },
    Case {
        name: "perceptron",
        title: "MLP 28-256-256-1",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: false,
        engines: &[
            foretell("perceptron.onnx"),
            avx2("perceptron.onnx"),
            portable("perceptron.onnx"),
            one_row("perceptron.onnx"),
            onnxruntime("perceptron.onnx"),
            engine("tract", Kind::Tract, "perceptron.onnx"),
        ],
    },
    Case {
        name: "support",
        title: "support vector regression, 4,000 rows trained on, Gaussian kernel",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: false,
        engines: &[
            foretell("support.onnx"),
            avx2("support.onnx"),
            one_row("support.onnx"),
            onnxruntime("support.onnx"),
        ],
    },
    Case {
        name: "neighbours",
        title: "mean of the five nearest of 5,000 rows",
        rows: "table/00.parquet",
        batches: BATCHES,
        is_classifier: false,
        engines: &[
            foretell("neighbours.onnx"),
            avx2("neighbours.onnx"),
            one_row("neighbours.onnx"),
            onnxruntime("neighbours.onnx"),
        ],
    },
    Case {
        name: "convolutions",
        title: "convolutional network, pictures of 28 x 28",
        rows: "pictures.parquet",
        batches: [1, 256, 8_192],
        is_classifier: false,
        engines: &[
            foretell("convolutions.onnx"),
            one_row("convolutions.onnx"),
            onnxruntime("convolutions.onnx"),
            engine("tract", Kind::Tract, "convolutions.onnx"),
        ],
    },
    Case {
        name: "recurrent",
        title: "LSTM of 64 units, 32 steps of 8 numbers",
        rows: "sequences.parquet",
        batches: [1, 256, 8_192],
        is_classifier: false,
        engines: &[
            foretell("recurrent.onnx"),
            one_row("recurrent.onnx"),
            onnxruntime("recurrent.onnx"),
            engine("tract", Kind::Tract, "recurrent.onnx"),
        ],
    },
    Case {
        name: "minilm",
        title: "MiniLM-L6 text embedding, 32 tokens",
        rows: "tokens.parquet",
        batches: [1, 8, 64],
        is_classifier: false,
        engines: &[
            foretell("minilm.onnx"),
            one_row("minilm.onnx"),
            onnxruntime("minilm.onnx"),
            engine("tract", Kind::Tract, "minilm.onnx"),
        ],
    },
];

/// The census on dictionaries.
pub const DICTIONARIES: &str = "foretell, dictionaries";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_compared_with_foretell() {
        for case in &CASES {
            assert_eq!(case.engines[0].name, FORETELL, "{}", case.name);
            let names: std::collections::BTreeSet<&str> = case.engines.iter().map(|engine| engine.name).collect();
            assert_eq!(names.len(), case.engines.len(), "{} names an engine twice", case.name);
        }
    }
}
