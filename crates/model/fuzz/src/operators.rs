//! The operators that random graphs are made of, each with the attributes it may have.

mod tensors;

pub use self::tensors::TENSOR_OPERATORS;

/// What an attribute holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Any integer.
    Int,
    /// 0 or 1.
    Flag,
    /// The number of an element type.
    Element,
    /// Integers.
    Ints,
    /// Integers, nearly all 0.
    Zeros,
    /// 0, 1, 2 and so on.
    Counting,
    /// 1, rarely another integer.
    One,
    /// Integers from 1 to 3, rarely others.
    Sizes,
    /// A float.
    Float,
    /// Floats.
    Floats,
    /// One of these texts.
    Text(&'static [&'static str]),
    /// Some of these texts.
    Texts(&'static [&'static str]),
    /// A tensor.
    Tensor,
    /// A graph without inputs.
    Graph,
    /// The body of a loop with one value.
    Loop,
    /// The body of a scan with one value and one list.
    Scan,
}

/// An operator.
pub struct Operator {
    /// Its name, with the domain if that is not `ai.onnx`.
    pub name: &'static str,
    /// How many inputs it has.
    pub inputs: usize,
    /// How many outputs it has.
    pub outputs: usize,
    /// What can be said about it.
    pub attributes: &'static [(&'static str, Kind)],
}

/// Texts for categories and labels.
pub const TEXTS: [&str; 6] = ["a", "b", "", "-1", "1.5", "é b"];

const MODES: &[&str] =
    &["LEAF", "BRANCH_LEQ", "LEAF", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "?"];
const AGGREGATES: &[&str] = &["SUM", "AVERAGE", "MIN", "MAX", "?"];
const TRANSFORMS: &[&str] = &["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT", "?"];
const KERNELS: &[&str] = &["LINEAR", "RBF", "POLY", "SIGMOID", "?"];

const fn plain(name: &'static str, inputs: usize) -> Operator {
    Operator { name, inputs, outputs: 1, attributes: &[] }
}

const fn with(name: &'static str, inputs: usize, attributes: &'static [(&'static str, Kind)]) -> Operator {
    Operator { name, inputs, outputs: 1, attributes }
}

const AXIS: &[(&str, Kind)] = &[("axis", Kind::Int)];
const REDUCE: &[(&str, Kind)] = &[("axes", Kind::Ints), ("keepdims", Kind::Flag)];

/// The operators.
pub const OPERATORS: &[Operator] = &[
    plain("Add", 2),
    plain("Sub", 2),
    plain("Mul", 2),
    plain("Div", 2),
    plain("Pow", 2),
    plain("Min", 2),
    plain("Max", 2),
    plain("Sum", 3),
    plain("Mean", 3),
    with("Mod", 2, &[("fmod", Kind::Flag)]),
    plain("And", 2),
    plain("Or", 2),
    plain("Xor", 2),
    plain("Not", 1),
    plain("Equal", 2),
    plain("Less", 2),
    plain("LessOrEqual", 2),
    plain("Greater", 2),
    plain("GreaterOrEqual", 2),
    plain("Where", 3),
    plain("Neg", 1),
    plain("Abs", 1),
    plain("Sqrt", 1),
    plain("Exp", 1),
    plain("Log", 1),
    plain("Sigmoid", 1),
    plain("Relu", 1),
    plain("Erf", 1),
    plain("IsNaN", 1),
    plain("Round", 1),
    with("LeakyRelu", 1, &[("alpha", Kind::Float)]),
    plain("PRelu", 2),
    plain("Identity", 1),
    plain("Shape", 1),
    plain("Size", 1),
    with("Cast", 1, &[("to", Kind::Element)]),
    with("Clip", 3, &[("min", Kind::Float), ("max", Kind::Float)]),
    with("Concat", 2, AXIS),
    with("Constant", 0, &[("value", Kind::Tensor)]),
    with("ConstantOfShape", 1, &[("value", Kind::Tensor)]),
    plain("Expand", 2),
    with("Flatten", 1, AXIS),
    with("Gather", 2, AXIS),
    with("GatherElements", 2, AXIS),
    with("GatherND", 2, &[("batch_dims", Kind::Int)]),
    plain("Range", 3),
    with("Reshape", 2, &[("shape", Kind::Ints), ("allowzero", Kind::Flag)]),
    with("Slice", 4, &[("starts", Kind::Ints), ("ends", Kind::Ints), ("axes", Kind::Ints)]),
    Operator {
        name: "Split",
        inputs: 2,
        outputs: 2,
        attributes: &[("axis", Kind::Int), ("split", Kind::Ints), ("num_outputs", Kind::Int)],
    },
    with("Squeeze", 2, &[("axes", Kind::Ints)]),
    with("Unsqueeze", 2, &[("axes", Kind::Ints)]),
    plain("Tile", 2),
    with("Transpose", 1, &[("perm", Kind::Ints)]),
    with("ArgMax", 1, &[("axis", Kind::Int), ("keepdims", Kind::Flag), ("select_last_index", Kind::Flag)]),
    with("ArgMin", 1, &[("axis", Kind::Int), ("keepdims", Kind::Flag), ("select_last_index", Kind::Flag)]),
    with("CumSum", 2, &[("exclusive", Kind::Flag), ("reverse", Kind::Flag)]),
    with("Gemm", 3, &[("alpha", Kind::Float), ("beta", Kind::Float), ("transA", Kind::Flag), ("transB", Kind::Flag)]),
    plain("MatMul", 2),
    with("OneHot", 3, AXIS),
    with("Softmax", 1, AXIS),
    with("LogSoftmax", 1, AXIS),
    Operator {
        name: "TopK",
        inputs: 2,
        outputs: 2,
        attributes: &[("k", Kind::Int), ("axis", Kind::Int), ("largest", Kind::Flag), ("sorted", Kind::Flag)],
    },
    with("ReduceSum", 2, REDUCE),
    with("ReduceMean", 2, REDUCE),
    with("ReduceMax", 2, REDUCE),
    with("ReduceMin", 2, REDUCE),
    with("ReduceProd", 2, REDUCE),
    with("ReduceL2", 2, REDUCE),
    with("ReduceSumSquare", 2, REDUCE),
    with("ReduceLogSumExp", 2, REDUCE),
    with("Compress", 2, AXIS),
    plain("NonZero", 1),
    with("Trilu", 2, &[("upper", Kind::Flag)]),
    with("EyeLike", 1, &[("dtype", Kind::Element), ("k", Kind::Int)]),
    with("Pad", 3, &[("mode", Kind::Text(&["constant", "edge", "reflect", "wrap"]))]),
    with("Einsum", 2, &[("equation", Kind::Text(&["ij,jk->ik", "bij,bjk->bik", "i...,j", "ii->i", "?"]))]),
    with(
        "Conv",
        3,
        &[("kernel_shape", Kind::Sizes), ("strides", Kind::Sizes), ("pads", Kind::Ints), ("group", Kind::One)],
    ),
    with("MaxPool", 1, &[("kernel_shape", Kind::Sizes), ("strides", Kind::Sizes), ("pads", Kind::Ints)]),
    with("BatchNormalization", 5, &[("epsilon", Kind::Float)]),
    with("LSTM", 4, &[("hidden_size", Kind::Int), ("direction", Kind::Text(&["forward", "reverse", "bidirectional"]))]),
    Operator {
        name: "If",
        inputs: 1,
        outputs: 1,
        attributes: &[("then_branch", Kind::Graph), ("else_branch", Kind::Graph)],
    },
    Operator { name: "Loop", inputs: 3, outputs: 2, attributes: &[("body", Kind::Loop)] },
    Operator {
        name: "Scan",
        inputs: 2,
        outputs: 2,
        attributes: &[("body", Kind::Scan), ("num_scan_inputs", Kind::One)],
    },
    with(
        "StringNormalizer",
        1,
        &[
            ("case_change_action", Kind::Text(&["LOWER", "UPPER", "NONE"])),
            ("is_case_sensitive", Kind::Flag),
            ("stopwords", Kind::Texts(&TEXTS)),
        ],
    ),
    with(
        "TfIdfVectorizer",
        1,
        &[
            ("max_gram_length", Kind::Int),
            ("min_gram_length", Kind::Int),
            ("max_skip_count", Kind::Int),
            ("mode", Kind::Text(&["TF", "IDF", "TFIDF"])),
            ("ngram_counts", Kind::Counting),
            ("ngram_indexes", Kind::Counting),
            ("pool_strings", Kind::Texts(&TEXTS)),
            ("pool_int64s", Kind::Ints),
            ("weights", Kind::Floats),
        ],
    ),
    plain("StringConcat", 2),
    Operator {
        name: "StringSplit",
        inputs: 1,
        outputs: 2,
        attributes: &[("delimiter", Kind::Text(&TEXTS)), ("maxsplit", Kind::Int)],
    },
    with("RegexFullMatch", 1, &[("pattern", Kind::Text(&["a*", "(", "(a|b)+", ".{1000000}"]))]),
    with("com.microsoft.CDist", 2, &[("metric", Kind::Text(&["euclidean", "sqeuclidean", "?"]))]),
    with(
        "com.microsoft.Tokenizer",
        1,
        &[
            ("mark", Kind::Flag),
            ("mincharnum", Kind::Int),
            ("pad_value", Kind::Text(&TEXTS)),
            ("separators", Kind::Texts(&TEXTS)),
            ("tokenexp", Kind::Text(&["a*", "("])),
        ],
    ),
    plain("ai.onnx.ml.ArrayFeatureExtractor", 2),
    with("ai.onnx.ml.Binarizer", 1, &[("threshold", Kind::Float)]),
    with(
        "ai.onnx.ml.CastMap",
        1,
        &[("cast_to", Kind::Text(&["TO_FLOAT", "TO_INT64", "TO_STRING"])), ("max_map", Kind::Int)],
    ),
    with(
        "ai.onnx.ml.CategoryMapper",
        1,
        &[("cats_int64s", Kind::Ints), ("cats_strings", Kind::Texts(&TEXTS)), ("default_int64", Kind::Int)],
    ),
    with(
        "ai.onnx.ml.DictVectorizer",
        1,
        &[("int64_vocabulary", Kind::Ints), ("string_vocabulary", Kind::Texts(&TEXTS))],
    ),
    with("ai.onnx.ml.FeatureVectorizer", 2, &[("inputdimensions", Kind::Ints)]),
    with(
        "ai.onnx.ml.Imputer",
        1,
        &[
            ("imputed_value_floats", Kind::Floats),
            ("imputed_value_int64s", Kind::Ints),
            ("replaced_value_float", Kind::Float),
            ("replaced_value_int64", Kind::Int),
        ],
    ),
    with(
        "ai.onnx.ml.LabelEncoder",
        1,
        &[
            ("keys_strings", Kind::Texts(&TEXTS)),
            ("keys_int64s", Kind::Ints),
            ("keys_floats", Kind::Floats),
            ("values_floats", Kind::Floats),
            ("values_strings", Kind::Texts(&TEXTS)),
            ("values_int64s", Kind::Ints),
            ("keys_tensor", Kind::Tensor),
            ("values_tensor", Kind::Tensor),
            ("default_tensor", Kind::Tensor),
            ("classes_strings", Kind::Texts(&TEXTS)),
        ],
    ),
    Operator {
        name: "ai.onnx.ml.LinearClassifier",
        inputs: 1,
        outputs: 2,
        attributes: &[
            ("coefficients", Kind::Floats),
            ("intercepts", Kind::Floats),
            ("classlabels_ints", Kind::Ints),
            ("classlabels_strings", Kind::Texts(&TEXTS)),
            ("post_transform", Kind::Text(TRANSFORMS)),
        ],
    },
    with(
        "ai.onnx.ml.LinearRegressor",
        1,
        &[
            ("coefficients", Kind::Floats),
            ("intercepts", Kind::Floats),
            ("targets", Kind::Int),
            ("post_transform", Kind::Text(TRANSFORMS)),
        ],
    ),
    with("ai.onnx.ml.Normalizer", 1, &[("norm", Kind::Text(&["MAX", "L1", "L2", "?"]))]),
    with(
        "ai.onnx.ml.OneHotEncoder",
        1,
        &[("cats_int64s", Kind::Ints), ("cats_strings", Kind::Texts(&TEXTS)), ("zeros", Kind::Flag)],
    ),
    Operator {
        name: "ai.onnx.ml.SVMClassifier",
        inputs: 1,
        outputs: 2,
        attributes: &[
            ("classlabels_ints", Kind::Counting),
            ("coefficients", Kind::Floats),
            ("kernel_params", Kind::Floats),
            ("kernel_type", Kind::Text(KERNELS)),
            ("prob_a", Kind::Floats),
            ("prob_b", Kind::Floats),
            ("rho", Kind::Floats),
            ("support_vectors", Kind::Floats),
            ("vectors_per_class", Kind::Ints),
            ("post_transform", Kind::Text(TRANSFORMS)),
        ],
    },
    with(
        "ai.onnx.ml.SVMRegressor",
        1,
        &[
            ("coefficients", Kind::Floats),
            ("kernel_params", Kind::Floats),
            ("kernel_type", Kind::Text(KERNELS)),
            ("rho", Kind::Floats),
            ("support_vectors", Kind::Floats),
            ("n_supports", Kind::Int),
            ("one_class", Kind::Flag),
            ("post_transform", Kind::Text(TRANSFORMS)),
        ],
    ),
    with("ai.onnx.ml.Scaler", 1, &[("offset", Kind::Floats), ("scale", Kind::Floats)]),
    with(
        "ai.onnx.ml.TreeEnsemble",
        1,
        &[
            ("aggregate_function", Kind::Int),
            ("leaf_targetids", Kind::Zeros),
            ("leaf_weights", Kind::Tensor),
            ("membership_values", Kind::Tensor),
            ("n_targets", Kind::Int),
            ("nodes_falseleafs", Kind::Counting),
            ("nodes_falsenodeids", Kind::Zeros),
            ("nodes_featureids", Kind::Zeros),
            ("nodes_modes", Kind::Tensor),
            ("nodes_splits", Kind::Tensor),
            ("nodes_trueleafs", Kind::Counting),
            ("nodes_truenodeids", Kind::Zeros),
            ("post_transform", Kind::Int),
            ("tree_roots", Kind::Zeros),
        ],
    ),
    Operator {
        name: "ai.onnx.ml.TreeEnsembleClassifier",
        inputs: 1,
        outputs: 2,
        attributes: &[
            ("base_values", Kind::Floats),
            ("class_ids", Kind::Zeros),
            ("class_nodeids", Kind::Counting),
            ("class_treeids", Kind::Zeros),
            ("class_weights", Kind::Floats),
            ("classlabels_int64s", Kind::Counting),
            ("classlabels_strings", Kind::Texts(&TEXTS)),
            ("nodes_falsenodeids", Kind::Ints),
            ("nodes_featureids", Kind::Zeros),
            ("nodes_missing_value_tracks_true", Kind::Zeros),
            ("nodes_modes", Kind::Texts(MODES)),
            ("nodes_nodeids", Kind::Counting),
            ("nodes_treeids", Kind::Zeros),
            ("nodes_truenodeids", Kind::Ints),
            ("nodes_values", Kind::Floats),
            ("post_transform", Kind::Text(TRANSFORMS)),
        ],
    },
    with(
        "ai.onnx.ml.TreeEnsembleRegressor",
        1,
        &[
            ("aggregate_function", Kind::Text(AGGREGATES)),
            ("base_values", Kind::Floats),
            ("n_targets", Kind::Int),
            ("nodes_falsenodeids", Kind::Ints),
            ("nodes_featureids", Kind::Zeros),
            ("nodes_missing_value_tracks_true", Kind::Zeros),
            ("nodes_modes", Kind::Texts(MODES)),
            ("nodes_nodeids", Kind::Counting),
            ("nodes_treeids", Kind::Zeros),
            ("nodes_truenodeids", Kind::Ints),
            ("nodes_values", Kind::Floats),
            ("post_transform", Kind::Text(TRANSFORMS)),
            ("target_ids", Kind::Zeros),
            ("target_nodeids", Kind::Counting),
            ("target_treeids", Kind::Zeros),
            ("target_weights", Kind::Floats),
        ],
    ),
    with(
        "ai.onnx.ml.ZipMap",
        1,
        &[("classlabels_int64s", Kind::Counting), ("classlabels_strings", Kind::Texts(&TEXTS))],
    ),
];
