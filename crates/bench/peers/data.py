"""The rows that the benchmarks score: made from seeds, the same wherever they are made."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20240607
FEATURES = 28
BLOCK_ROWS = 1_000_000
ROW_GROUP_ROWS = 131_072

# Category counts and names of a census; the rarest come last.
CATEGORIES = {
    "workclass": "Private Self-emp-not-inc Local-gov ? State-gov Self-emp-inc Federal-gov Without-pay Never-worked",
    "education": "HS-grad Some-college Bachelors Masters Assoc-voc 11th Assoc-acdm 10th 7th-8th Prof-school 9th 12th "
    "Doctorate 5th-6th 1st-4th Preschool",
    "marital_status": "Married-civ-spouse Never-married Divorced Separated Widowed Married-spouse-absent Married-AF-spouse",
    "occupation": "Prof-specialty Craft-repair Exec-managerial Adm-clerical Sales Other-service Machine-op-inspct ? "
    "Transport-moving Handlers-cleaners Farming-fishing Tech-support Protective-serv Priv-house-serv Armed-Forces",
    "relationship": "Husband Not-in-family Own-child Unmarried Wife Other-relative",
    "race": "White Black Asian-Pac-Islander Amer-Indian-Eskimo Other",
    "sex": "Male Female",
    "native_country": "United-States Mexico ? Philippines Germany Canada Puerto-Rico El-Salvador India Cuba England "
    "Jamaica South China Italy Dominican-Republic Vietnam Guatemala Japan Poland Columbia Taiwan Haiti Iran Portugal "
    "Nicaragua Peru Greece France Ecuador Ireland Hong Trinadad&Tobago Cambodia Laos Thailand Yugoslavia "
    "Outlying-US(Guam-USVI-etc) Hungary Honduras Scotland Holand-Netherlands",
}


def numbers(rows, seed):
    """28 float32 columns like those of a physics detector, and the class of each row.

    A fourth of the first 21 have few values, the others many; the last seven are made from the others.
    """
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.53).astype(np.int64)
    table = np.empty((rows, FEATURES), np.float32)
    for column in range(21):
        kind = column % 4
        if kind == 0:
            table[:, column] = random.gamma(2.0 + 0.3 * label, 0.5, rows)
        elif kind == 1:
            table[:, column] = random.normal(0, 1, rows)
        elif kind == 2:
            table[:, column] = random.uniform(-1.743, 1.743, rows)
        else:
            table[:, column] = random.choice([0.0, 1.0865, 2.1731, 3.1019], rows, p=[0.5, 0.2, 0.2, 0.1])
    pairs = [(0, 1, 4), (4, 5, 8), (8, 9, 12), (12, 13, 16), (16, 17, 0), (0, 8, 16), (4, 12, 20)]
    for at, (a, b, c) in enumerate(pairs):
        angle = np.cosh(table[:, b] * 0.5) - np.cos(table[:, (b + 1) % 21])
        mass = np.sqrt(np.abs(table[:, a] * table[:, c] * angle))
        table[:, 21 + at] = mass * random.lognormal(-0.05 * label, 0.15, rows)
    return table, label


def five_classes(table):
    """A class from 0 to 4 that depends on three of the 28 columns."""
    return np.digitize(table[:, 21] + table[:, 24] + 0.5 * table[:, 0], [1.2, 1.9, 2.6, 3.6])


def census(rows, seed):
    """Eight columns of text and six of numbers, and whether somebody earns much."""
    random = np.random.default_rng(seed)
    # What a category is worth is the same in every table.
    worth = np.random.default_rng(SEED)
    columns, score = {}, np.full(rows, -1.0)
    for name, text in CATEGORIES.items():
        values = np.array(text.split(), object)
        share = 1.0 / np.arange(1, len(values) + 1) ** 1.2
        chosen = random.choice(len(values), rows, p=share / share.sum())
        score += worth.normal(0, 0.8, len(values))[chosen]
        columns[name] = values[chosen]
    columns["age"] = random.integers(17, 90, rows)
    columns["fnlwgt"] = random.gamma(3, 63000, rows)
    columns["education_num"] = random.integers(1, 17, rows)
    columns["capital_gain"] = np.where(random.random(rows) < 0.08, random.gamma(1, 9000, rows), 0)
    columns["capital_loss"] = np.where(random.random(rows) < 0.05, random.gamma(8, 230, rows), 0)
    columns["hours_per_week"] = np.clip(random.normal(40, 12, rows), 1, 99)
    score += 0.03 * (columns["age"] - 38) + 0.2 * (columns["education_num"] - 9) + 0.0001 * columns["capital_gain"]
    for name in list(columns)[len(CATEGORIES) :]:
        columns[name] = columns[name].astype(np.float32)
    return columns, (random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64)


def digits(rows, seed):
    """The handwritten digits of scikit-learn with noise: 64 float32 columns."""
    from sklearn.datasets import load_digits

    random = np.random.default_rng(seed)
    pictures = load_digits().data.astype(np.float32)
    chosen = pictures[random.integers(0, len(pictures), rows)]
    return np.clip(chosen + random.integers(-1, 2, chosen.shape), 0, 16).astype(np.float32)


def tokens(rows, seed, length=32):
    """Three lists of `length` whole numbers, as a tokenizer gives them for sentences of that many tokens."""
    random = np.random.default_rng(seed)
    words = random.integers(1000, 30000, (rows, length))
    words[:, 0], words[:, -1] = 101, 102
    lists = {"input_ids": words, "attention_mask": np.ones_like(words), "token_type_ids": np.zeros_like(words)}
    return {name: pa.array(list(values), pa.list_(pa.int64())) for name, values in lists.items()}


def pictures(rows, seed, size=28):
    """A list of `size * size` float32 for each grey picture."""
    return {"image": lists_of(np.random.default_rng(seed).random((rows, size * size), np.float32))}


def sequences(rows, seed, steps=32, features=8):
    """A list of `steps * features` float32 for each series."""
    return {"sequence": lists_of(np.random.default_rng(seed).standard_normal((rows, steps * features), np.float32))}


def lists_of(table):
    starts = np.arange(len(table) + 1, dtype=np.int32) * table.shape[1]
    return pa.ListArray.from_arrays(pa.array(starts), pa.array(table.ravel()))


def columns_of(table):
    """A matrix as columns `f0`, `f1` and so on."""
    return {f"f{at}": table[:, at] for at in range(table.shape[1])}


def write_all(folder, blocks):
    """Writes what is not there: the tables of `kernels`, and `blocks` million rows for `tables`, a file for each million."""
    parts, small = folder / "table", folder / "small"
    for directory in (parts, small):
        directory.mkdir(parents=True, exist_ok=True)
    tables = {
        folder / "census.parquet": lambda: census(262_144, SEED + 2)[0],
        folder / "digits.parquet": lambda: columns_of(digits(262_144, SEED + 3)),
        folder / "tokens.parquet": lambda: tokens(512, SEED + 4),
        folder / "pictures.parquet": lambda: pictures(16_384, SEED + 6),
        folder / "sequences.parquet": lambda: sequences(16_384, SEED + 7),
        small / "00.parquet": lambda: columns_of(numbers(100_000, SEED + 5)[0]),
    }
    for block in range(blocks):
        tables[parts / f"{block:02}.parquet"] = lambda seed=SEED + 100 + block: columns_of(numbers(BLOCK_ROWS, seed)[0])
    for path, make in tables.items():
        if not path.exists():
            # A file that is there is whole.
            unfinished = path.with_suffix(".unfinished")
            pq.write_table(pa.table(make()), unfinished, compression="zstd", row_group_size=ROW_GROUP_ROWS)
            unfinished.rename(path)
            print(path.name, path.stat().st_size, flush=True)
