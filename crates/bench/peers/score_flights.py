"""Scores the flights as a Python user does today: pandas and onnxruntime.

    pip install -r requirements.txt
    python score_flights.py ../../../sql/models/late.onnx --repeat 10

Reads the flights, scores them in one batch, writes key columns and prediction
as Parquet, and prints one line of JSON. The clock starts after the imports.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pandas as pd

SQL = Path(__file__).parent.parent.parent.parent / "sql"
KEYS = ["year", "month", "day", "carrier", "flight"]


def read_flights(columns, repeat):
    """The columns that the model and the result need, `repeat` times over."""
    needed = list(dict.fromkeys(KEYS + columns))
    flights = pd.read_parquet(SQL / "data" / "flights.parquet", columns=needed)
    return pd.concat([flights] * repeat, ignore_index=True) if repeat > 1 else flights


def open_session(model, threads):
    """An onnxruntime session with so many threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feed(session, flights, columns):
    """One input per column if the model has several, else one float matrix."""
    inputs = session.get_inputs()
    if len(inputs) == 1:
        return {inputs[0].name: flights[columns].to_numpy(dtype=np.float32)}
    dtypes = {"tensor(float)": np.float32, "tensor(string)": object}
    return {
        value.name: flights[value.name].to_numpy(dtype=dtypes[value.type]).reshape(-1, 1)
        for value in inputs
    }


def prediction(answers):
    """The label and what it is worth, or the number that a regressor predicts."""
    if len(answers) == 1:
        return {"prediction": answers[0].reshape(-1)}
    label, scores = answers
    if isinstance(scores, list):
        best = [max(row.values()) for row in scores]
    else:
        best = scores.max(axis=1)
    return {"prediction": label, "probability": np.asarray(best, dtype=np.float32)}


def score(arguments, output):
    """Reads, scores and writes; returns the number of rows."""
    model = arguments.model
    columns = json.loads((SQL / "models" / "features.json").read_text())[model.stem]
    session = open_session(model, arguments.threads)
    flights = read_flights(columns, arguments.repeat)
    wanted = [session.get_outputs()[0].name] if arguments.prediction_only else None
    answers = session.run(wanted, feed(session, flights, columns))
    flights[KEYS].assign(**prediction(answers)).to_parquet(output)
    return len(flights)


def parse_arguments():
    """The model, how many times the flights are taken, and what becomes of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--prediction-only", action="store_true", help="do not compute what it is worth"
    )
    parser.add_argument("--output", type=Path, help="default: a temporary file")
    return parser.parse_args()


def main():
    """Times one run and prints it as JSON."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as scratch:
        output = arguments.output or Path(scratch) / "scored.parquet"
        start = time.perf_counter()
        rows = score(arguments, output)
        seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "model": arguments.model.name,
                "rows": rows,
                "seconds": round(seconds, 3),
                "rows_per_second": round(rows / seconds),
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
