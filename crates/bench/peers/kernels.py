"""One peer of `foretell-bench kernels`: predictions over rows in memory, in the way that is fastest for the peer.

    python kernels.py onnxruntime MODEL ROWS.parquet --threads 1

Prints one line of JSON when the model is loaded, then one for every line of its input:

    run BATCH SECONDS      predicts batch after batch for at least so long; {"rows": ..., "seconds": ...}
    answers ROWS PATH      writes the answers to the first rows as little-endian float32; {"width": ...}

`PEERS` has all peers, and says with what settings they run.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def read_rows(path):
    """A float32 matrix if all columns are numbers; else an array of rows for each column."""
    table = pq.read_table(path)
    if all(pa.types.is_floating(field.type) for field in table.schema):
        return np.column_stack([column.to_numpy() for column in table.columns]).astype(np.float32)
    return {name: column_rows(table[name].combine_chunks()) for name in table.column_names}


def column_rows(column):
    if pa.types.is_list(column.type):
        return column.values.to_numpy().reshape(len(column), -1)
    dtype = np.float32 if pa.types.is_floating(column.type) else object
    return column.to_numpy(zero_copy_only=False).astype(dtype).reshape(-1, 1)


def count_of(rows):
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def onnxruntime(model, rows, threads):
    """Probabilities alone are asked for, of a session with all optimisations; rows are slices of one matrix, not copies."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    wanted = [session.get_outputs()[-1].name]
    if isinstance(rows, dict):
        shapes = {given.name: [size for size in given.shape[1:] if isinstance(size, int)] for given in session.get_inputs()}
        rows = {name: column.reshape(len(column), *shapes[name] or [-1]) for name, column in rows.items()}
        return lambda a, b: session.run(wanted, {name: column[a:b] for name, column in rows.items()})[0]
    name = session.get_inputs()[0].name
    return lambda a, b: session.run(wanted, {name: rows[a:b]})[0]


def lightgbm(model, rows, threads):
    """`Booster.predict` on float32 rows, which it takes without a copy."""
    import lightgbm as lgb

    booster = lgb.Booster(model_file=model)
    return lambda a, b: booster.predict(rows[a:b], num_threads=threads)


def xgboost(model, rows, threads):
    """`inplace_predict`, which spares the DMatrix."""
    import xgboost as xgb

    booster = xgb.Booster(model_file=model)
    booster.set_param({"nthread": threads})
    return lambda a, b: booster.inplace_predict(rows[a:b])


def lleaves(model, rows, threads):
    """Compiled once, kept beside the model; rows are float64 beforehand, which is what it computes with."""
    import lleaves as compiler

    compiled = compiler.Model(model_file=model)
    compiled.compile(cache=Path(model).with_suffix(".lleaves.o"))
    rows = rows.astype(np.float64)
    return lambda a, b: compiled.predict(rows[a:b], n_jobs=threads)


def treelite(model, rows, threads):
    """GTIL, the only way of treelite to predict since its compiler went."""
    import treelite as tl

    is_lightgbm = model.endswith(".txt")
    load = tl.frontend.load_lightgbm_model if is_lightgbm else tl.frontend.load_xgboost_model
    trees = load(model)
    return lambda a, b: tl.gtil.predict(trees, rows[a:b], nthread=threads)


PEERS = {peer.__name__: peer for peer in (onnxruntime, lightgbm, xgboost, lleaves, treelite)}


class Runner:
    """Goes through the rows batch after batch, and begins anew at their end."""

    def __init__(self, predict, rows):
        self.predict, self.rows, self.at = predict, rows, 0

    def run(self, batch, seconds):
        done, start = 0, time.perf_counter()
        while True:
            if self.at + batch > self.rows:
                self.at = 0
            self.predict(self.at, self.at + batch)
            self.at += batch
            done += batch
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return {"rows": done, "seconds": elapsed}

    def answers(self, rows, path):
        answers = np.asarray(self.predict(0, rows), "<f4").reshape(rows, -1)
        answers.tofile(path)
        return {"width": answers.shape[1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("model")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    rows = read_rows(arguments.rows)
    importlib.import_module(arguments.peer)
    start = time.perf_counter()
    predict = PEERS[arguments.peer](arguments.model, rows, arguments.threads)
    load = time.perf_counter() - start
    runner = Runner(predict, count_of(rows))
    print(json.dumps({"version": importlib.metadata.version(arguments.peer), "load_seconds": load}), flush=True)
    for line in sys.stdin:
        command, count, argument = line.rstrip("\n").split(" ", 2)
        answer = runner.run(int(count), float(argument)) if command == "run" else runner.answers(int(count), argument)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
