"""One peer of `foretell-bench tables`: scores a folder of Parquet files, in the way that is fastest for the peer.

    python tables.py pandas save MODEL.onnx TABLE OUTPUT --threads 2 --warm SMALL_TABLE
    python tables.py polars filter MODEL.onnx TABLE OUTPUT --above 0.75

`save` writes the column f0 and the probability as Parquet with snappy; `filter` counts the rows with a probability above a
number. Both score the small table first, so that what happens once is not measured: onnxruntime, DuckDB and Spark are up, and
Python's workers are running. Prints one line of JSON. The clock starts after that, and stops when all rows are there.
`PEERS` has all peers, and says with what settings they run.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

import conditions

FEATURES = [f"f{at}" for at in range(28)]
BATCH_ROWS = 65_536


def open_session(model, threads):
    """A function from a matrix to probabilities."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name, wanted = session.get_inputs()[0].name, [session.get_outputs()[-1].name]

    def predict(matrix):
        answer = session.run(wanted, {name: matrix})[0]
        return answer.reshape(len(matrix), -1)[:, -1]

    return predict


def matrix_of(columns):
    matrix = np.empty((len(columns[0]), len(columns)), np.float32)
    for at, column in enumerate(columns):
        matrix[:, at] = column
    return matrix


def scored(f0, probability):
    return pa.table({"f0": f0, "score": pa.array(probability)})


class Pyarrow:
    """Batches of 65,536 rows, scored and written one after the other; onnxruntime has all threads."""

    packages = ["pyarrow", "onnxruntime"]

    def __init__(self, model, threads):
        pa.set_cpu_count(threads)
        self.predict = open_session(model, threads)

    def batches(self, table):
        for batch in pyarrow.dataset.dataset(table).to_batches(columns=FEATURES, batch_size=BATCH_ROWS):
            yield batch.column(0), self.predict(matrix_of([column.to_numpy() for column in batch.columns]))

    def save(self, table, output):
        with pq.ParquetWriter(output, pa.schema({"f0": pa.float32(), "score": pa.float32()})) as writer:
            for f0, probability in self.batches(table):
                writer.write_table(scored(f0, probability))

    def filter(self, table, above):
        return sum(int((probability > above).sum()) for _, probability in self.batches(table))


class Pandas:
    """The whole table in memory and one call of onnxruntime, which has all threads."""

    packages = ["pandas", "onnxruntime"]

    def __init__(self, model, threads):
        pa.set_cpu_count(threads)
        self.predict = open_session(model, threads)

    def save(self, table, output):
        import pandas as pd

        frame = pd.read_parquet(table, columns=FEATURES)
        probability = self.predict(frame.to_numpy(np.float32))
        pd.DataFrame({"f0": frame["f0"], "score": probability}).to_parquet(output)

    def filter(self, table, above):
        import pandas as pd

        return int((self.predict(pd.read_parquet(table, columns=FEATURES).to_numpy(np.float32)) > above).sum())


class Polars:
    """The whole table in memory, scored in slices of 65,536 rows; polars and onnxruntime have all threads."""

    packages = ["polars", "onnxruntime"]

    def __init__(self, model, threads):
        self.predict = open_session(model, threads)

    def frame(self, table):
        import polars as pl

        frame = pl.read_parquet(table / "*.parquet", columns=FEATURES)
        slices = frame.iter_slices(BATCH_ROWS)
        return frame, np.concatenate([self.predict(part.to_numpy(order="c")) for part in slices])

    def save(self, table, output):
        import polars as pl

        frame, probability = self.frame(table)
        frame.select("f0").with_columns(score=pl.Series(probability)).write_parquet(output, compression="snappy")

    def filter(self, table, above):
        return int((self.frame(table)[1] > above).sum())


class DuckDB:
    """SQL on all threads; `expression` is what stands for the model."""

    packages = ["duckdb"]

    def __init__(self, model, threads):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute(f"SET threads = {threads}")
        self.expression = self.prepare(model)

    def save(self, table, output):
        query = f"SELECT f0, {self.expression} AS score FROM '{table}/*.parquet'"
        self.connection.execute(f"COPY ({query}) TO '{output}' (FORMAT parquet, COMPRESSION snappy)")

    def filter(self, table, above):
        query = f"SELECT count(*) FROM '{table}/*.parquet' WHERE {self.expression} > {above}"
        return self.connection.execute(query).fetchone()[0]


class DuckDBArrow(DuckDB):
    """A function over Arrow columns; DuckDB calls it from all its threads, so onnxruntime has one."""

    packages = ["duckdb", "onnxruntime"]

    def prepare(self, model):
        import duckdb

        predict = open_session(model, 1)

        def score(*columns):
            return pa.chunked_array([pa.array(predict(matrix_of([column.to_numpy() for column in columns])))])

        # The number of parameters is read from the function.
        names = ", ".join(FEATURES)
        function = eval(f"lambda {names}: score({names})", {"score": score})
        kind = duckdb.sqltypes.FLOAT
        self.connection.create_function("predict", function, [kind] * len(FEATURES), kind, type="arrow")
        return f"predict({names})"


class DuckDBSql(DuckDB):
    """The model as an expression: a sum for the linear model, a CASE for each tree."""

    def prepare(self, model):
        self.connection.execute("SET max_expression_depth = 100000")
        return conditions.expression(model, FEATURES)


class Spark:
    """`pandas_udf` over an iterator of frames with 65,536 rows; a Python worker for each thread, onnxruntime with one in each."""

    packages = ["pyspark", "onnxruntime"]

    def __init__(self, model, threads):
        from pyspark.sql import SparkSession
        from pyspark.sql.functions import pandas_udf, struct

        os.environ["PYSPARK_PYTHON"] = sys.executable
        settings = {
            "spark.driver.memory": "4g",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_ROWS),
        }
        builder = SparkSession.builder.master(f"local[{threads}]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")
        self.score = pandas_udf(frames_scorer(model), "float")(struct(*FEATURES)).alias("score")

    def save(self, table, output):
        shutil.rmtree(output, ignore_errors=True)
        self.session.read.parquet(str(table)).select("f0", self.score).write.parquet(str(output))

    def filter(self, table, above):
        return self.session.read.parquet(str(table)).where(self.score > above).count()


def frames_scorer(model):
    from typing import Iterator

    import pandas as pd

    def score(frames: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        predict = open_session(model, 1)
        for frame in frames:
            yield pd.Series(predict(np.ascontiguousarray(frame.to_numpy(np.float32))))

    return score


PEERS = {
    "pyarrow": Pyarrow,
    "pandas": Pandas,
    "polars": Polars,
    "duckdb-arrow": DuckDBArrow,
    "duckdb-sql": DuckDBSql,
    "spark": Spark,
}


def peak_mb():
    """The most memory that this process and those it started ever had, each counted at its own peak."""
    processes = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue  # It has ended meanwhile.
        peak = int(lines.get("VmHWM", "0 kB").split()[0])
        processes[int(lines["Pid"])] = (int(lines["PPid"]), peak)

    def is_ours(pid):
        while pid in processes:
            if pid == os.getpid():
                return True
            pid = processes[pid][0]
        return False

    return sum(peak for pid, (_, peak) in processes.items() if is_ours(pid)) // 1024


def summary(output):
    """What the answers are compared by: their mean, and their mean weighted by f0."""
    table = pq.read_table(output)
    f0, score = (table[name].to_numpy().astype(np.float64) for name in ("f0", "score"))
    return {"rows": table.num_rows, "mean": score.mean(), "weighted_mean": (score * f0).mean()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("task", choices=["save", "filter"])
    parser.add_argument("model")
    parser.add_argument("table", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--warm", type=Path, help="a table to be scored first")
    parser.add_argument("--above", type=float, default=0.75)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = str(arguments.threads)
    peer = PEERS[arguments.peer](arguments.model, arguments.threads)
    is_save = arguments.task == "save"
    work = (lambda table: peer.save(table, arguments.output)) if is_save else (lambda table: peer.filter(table, arguments.above))
    if arguments.warm:
        work(arguments.warm)
    start = time.perf_counter()
    count = work(arguments.table)
    seconds = time.perf_counter() - start
    line = {"seconds": seconds, "peak_rss_mb": peak_mb()}
    line["versions"] = {package: importlib.metadata.version(package) for package in peer.packages}
    rows = pyarrow.dataset.dataset(arguments.table).count_rows()
    line |= summary(arguments.output) if is_save else {"rows": rows, "count": count}
    print(json.dumps(line), flush=True)
    # Spark's gateway would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
