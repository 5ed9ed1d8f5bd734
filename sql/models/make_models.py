"""Trains the six models of the examples on `../data/flights.parquet`.

    pip install -r requirements.txt
    PYTHONHASHSEED=0 python make_models.py

Each model is exported the way its library's documentation shows, with the
exporter's defaults, because those are the files people have. After the export
each file is scored with onnxruntime beside the model it came from, and the
largest difference is printed. The hash seed settles the order in which the
exporters list their opsets.
"""

import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
import onnxmltools
import pandas as pd
import xgboost as xgb
from onnxmltools.convert.common.data_types import FloatTensorType as MLFloatTensorType
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
SEED = 2013
LATE_MINUTES = 15

NUMBERS = ["dep_delay", "distance", "hour"]
STRINGS = ["carrier", "origin", "dest"]
WITH_GAPS = ["month", "day", "hour", "minute", "dep_delay", "air_time", "distance"]
FEATURES = {
    "late": NUMBERS + STRINGS,
    "late_gbm": NUMBERS + STRINGS,
    "delay": WITH_GAPS,
    "late_xgb": WITH_GAPS,
    "origin_rf": ["month", "hour", "distance", "air_time", "dep_delay"],
    "late_nn": ["month", "day", "hour", "minute", "dep_delay", "distance"],
}


def read_flights():
    """The flights that arrived: the others have no delay to learn from."""
    flights = pd.read_parquet(HERE.parent / "data" / "flights.parquet")
    return flights[flights["arr_delay"].notna()].reset_index(drop=True)


def late_labels(flights):
    """'late' or 'on_time' by the arrival."""
    return np.where(flights["arr_delay"] > LATE_MINUTES, "late", "on_time")


def matrix(flights, name):
    """The features of model `name` as one float32 matrix, in the model's order."""
    return flights[FEATURES[name]].to_numpy(dtype=np.float32)


def with_gaps(features):
    """Blanks a tenth of the last three columns, so that trees learn where NaN goes."""
    gaps = np.random.default_rng(SEED).random((len(features), 3)) < 0.1
    masked = features.copy()
    masked[:, -3:][gaps] = np.nan
    return masked


def columns_pipeline(classifier):
    """Impute and scale the numbers, one-hot the strings, then `classifier`."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    strings = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("strings", strings, STRINGS)])
    return Pipeline([("columns", columns), ("classifier", classifier)])


def column_inputs():
    """One ONNX input per column, as skl2onnx shows for data frames."""
    numbers = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    strings = [(name, StringTensorType([None, 1])) for name in STRINGS]
    return numbers + strings


def column_frame(flights):
    """The columns of `late` and `late_gbm`, the numbers as float32 as in ONNX."""
    return flights[NUMBERS + STRINGS].astype({name: np.float32 for name in NUMBERS})


def train_columns(flights, classifier, rows):
    """Fits a pipeline that takes one input per column on a sample of `rows` flights."""
    sample = flights.sample(rows, random_state=SEED)
    pipeline = columns_pipeline(classifier).fit(column_frame(sample), late_labels(sample))
    frame = column_frame(flights)
    feed = {name: frame[[name]].to_numpy() for name in frame}
    return to_onnx(pipeline, initial_types=column_inputs()), feed, pipeline.predict_proba(frame)


def train_late(flights):
    """Logistic regression on imputed, scaled and one-hot columns."""
    return train_columns(flights, LogisticRegression(max_iter=500), len(flights))


def train_late_gbm(flights):
    """Boosted trees on the same columns.

    Not the histogram kind: its thresholds are float64 values of the data, and
    rounding them to ONNX's float32 sent 3 % of the rows down the other branch.
    """
    classifier = GradientBoostingClassifier(n_estimators=100, max_depth=5, random_state=SEED)
    return train_columns(flights, classifier, 40_000)


def train_delay(flights):
    """LightGBM regression of the arrival delay, with missing values."""
    x = with_gaps(matrix(flights, "delay"))
    model = lgb.LGBMRegressor(
        n_estimators=200, random_state=SEED, n_jobs=1,
        deterministic=True, force_row_wise=True, verbose=-1,
    ).fit(x, flights["arr_delay"])
    inputs = [("input", MLFloatTensorType([None, x.shape[1]]))]
    exported = onnxmltools.convert_lightgbm(model, initial_types=inputs)
    return exported, {"input": x}, model.predict(x)


def train_late_xgb(flights):
    """XGBoost classification into 0 and 1, with missing values."""
    x = with_gaps(matrix(flights, "late_xgb"))
    y = (flights["arr_delay"] > LATE_MINUTES).astype(int)
    model = xgb.XGBClassifier(
        n_estimators=100, max_depth=5, learning_rate=0.2, random_state=SEED, n_jobs=1
    ).fit(x, y)
    inputs = [("input", MLFloatTensorType([None, x.shape[1]]))]
    exported = onnxmltools.convert_xgboost(model, initial_types=inputs)
    return exported, {"input": x}, model.predict_proba(x)


def train_origin_rf(flights):
    """A random forest that tells the airport of departure."""
    sample = flights.sample(100_000, random_state=SEED)
    model = RandomForestClassifier(
        n_estimators=30, max_depth=8, random_state=SEED, n_jobs=1
    ).fit(matrix(sample, "origin_rf"), sample["origin"].to_numpy(dtype=object))
    x = matrix(flights, "origin_rf")
    return to_onnx(model, x[:1]), {"X": x}, model.predict_proba(x)


def train_late_nn(flights):
    """A small neural network, exported without ZipMap."""
    sample = flights.sample(60_000, random_state=SEED)
    network = MLPClassifier((128, 128), max_iter=60, early_stopping=True, random_state=SEED)
    model = make_pipeline(StandardScaler(), network)
    model.fit(matrix(sample, "late_nn"), late_labels(sample))
    x = matrix(flights, "late_nn")
    exported = to_onnx(model, x[:1], options={"zipmap": False})
    return exported, {"X": x}, model.predict_proba(x)


TRAINERS = {
    "late": train_late,
    "late_gbm": train_late_gbm,
    "delay": train_delay,
    "late_xgb": train_late_xgb,
    "origin_rf": train_origin_rf,
    "late_nn": train_late_nn,
}


def as_matrix(answer):
    """A ZipMap answer or an array as a matrix."""
    if isinstance(answer, list):
        return np.array([list(row.values()) for row in answer])
    return answer


def report(name, feed, expected):
    """Prints how far onnxruntime's answer is from the source model's on a sample."""
    rows = np.random.default_rng(SEED).choice(len(expected), 20_000, replace=False)
    session = ort.InferenceSession(HERE / f"{name}.onnx")
    answers = session.run(None, {key: values[rows] for key, values in feed.items()})
    got = as_matrix(answers[-1]).reshape(len(rows), -1)
    error = np.abs(got - expected[rows].reshape(len(rows), -1)).max(axis=1)
    print(
        f"{name}: {(HERE / f'{name}.onnx').stat().st_size} bytes, "
        f"largest difference {error.max():.2e}, "
        f"{(error > 1e-4).sum()} of {len(rows)} rows beyond 1e-4"
    )
    for kind, values in (("in", session.get_inputs()), ("out", session.get_outputs())):
        for value in values:
            print(f"  {kind} {value.name}: {value.type} {value.shape}")


def main():
    """Trains, exports and checks every model."""
    flights = read_flights()
    (HERE / "features.json").write_text(json.dumps(FEATURES, indent=2) + "\n")
    for name, train in TRAINERS.items():
        exported, feed, expected = train(flights)
        exported.graph.name = name  # onnxmltools takes a random one
        onnx.save(exported, HERE / f"{name}.onnx")
        report(name, feed, expected)


if __name__ == "__main__":
    main()
