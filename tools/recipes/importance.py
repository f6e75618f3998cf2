"""What the model relies on: predictions for the sealed rows again and again, each time with one column shuffled.

No labels are here, so no score is computed: the trusted side compares these predictions with the labels (Breiman 2001;
Fisher, Rudin & Dominici 2019). Reads inputs/model/ and inputs/table.parquet, writes outputs/permuted.parquet.
"""

import ast
import json
import sys
import time
import types
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

CLASSES = ["0", "1"]  # in the order of the columns p_0, p_1, ...; empty for numbers
FEATURES = ["x"]
NUMBERS = ["x"]
DATES = []
REPEATS = 3
MAX_ROWS = 2000
SECONDS = 10.0  # a guard: columns that are not done by then are left out
SEED = 0

SCRIPT = Path("inputs/model/train.py")
START = time.monotonic()


def is_guarded(node):
    """`if __name__ == "__main__":`"""
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def definitions(source):
    """What a pickle may need from the script that made it: imports, functions, classes and constants, but no work."""
    tree = ast.parse(source)
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Try, ast.Assign, ast.AnnAssign)
    if not any(map(is_guarded, tree.body)):  # such a script trains when it is run, so only its literals are taken along
        tree.body = [node for node in tree.body if isinstance(node, kept[:4]) or is_constant(node)]
    else:
        tree.body = [node for node in tree.body if isinstance(node, kept)]
    return compile(tree, "train.py", "exec")


def is_constant(node):
    """An assignment of a literal."""
    try:
        ast.literal_eval(node.value)
    except (AttributeError, ValueError):
        return False
    return isinstance(node, ast.Assign)


@contextmanager
def explained(*kinds):
    """A name that only training made is told in a sentence, as the last line of stderr."""
    try:
        yield
    except kinds as error:
        advice = "put the training under `if __name__ == '__main__':` so that the model's own functions can be loaded"
        if any(map(is_guarded, ast.parse(SCRIPT.read_text(encoding="utf-8")).body if SCRIPT.exists() else [])):
            advice = "define what the model's own functions need above `if __name__ == '__main__':`, not under it"
        sys.exit(f"The model cannot be used ({str(error)[:100]}): {advice}.")


def load_model():
    """The model; what its pickle looks up in __main__ is found in the training script beside it, never in this one."""
    here, training = sys.modules["__main__"], types.ModuleType("__main__")
    with explained(NameError, AttributeError):
        try:
            if SCRIPT.exists():
                sys.modules["__main__"] = training
                exec(definitions(SCRIPT.read_text(encoding="utf-8")), vars(training))
            return joblib.load("inputs/model/model.joblib")
        finally:
            sys.modules["__main__"] = here


def prepared(table):
    """The columns that training had, in its order and types; what is not there or not of its kind is missing."""
    table = table.reindex(columns=FEATURES)
    for name in NUMBERS:
        table[name] = pd.to_numeric(table[name], errors="coerce")
    for name in DATES:
        table[name] = pd.to_datetime(table[name], errors="coerce", utc=True).dt.tz_localize(None)
    return table


def listed(labels):
    """The first few, each cut to a size that leaves room for the rest of a sentence."""
    return ", ".join(f"“{label[:16]}”" for label in labels[:4]) + (" …" if len(labels) > 4 else "")


def classes_of(model):
    """The labels of the model's probabilities, in its order; it may not know all of CLASSES, but no other."""
    if getattr(model, "classes_", None) is None:
        sys.exit("The model has predict_proba but no classes_, so nobody can tell whose probabilities these are.")
    own = [str(label) for label in model.classes_]
    if set(own) - set(CLASSES):
        sys.exit(
            f"The model's classes are {listed(own)}, those of the table are {listed(CLASSES)}: train on the labels as "
            "they are in inputs/train.parquet."
        )
    return own


def predict(model, table):
    """row, prediction and, for classes, p_0 ... in the order of CLASSES."""
    out = {"row": np.arange(len(table), dtype=np.int64)}
    with explained(NameError):
        if not CLASSES:
            return pd.DataFrame(out | {"prediction": np.asarray(model.predict(table), dtype=float).ravel()})
        soft = hasattr(model, "predict_proba")
        own = classes_of(model) if soft or hasattr(model, "classes_") else []
        out["prediction"] = np.asarray(model.predict(table)).astype(str)
        if soft:
            given = dict(zip(own, np.asarray(model.predict_proba(table), dtype=float).T, strict=True))
            none = np.zeros(len(table))
            out |= {f"p_{code}": given.get(label, none) for code, label in enumerate(CLASSES)}
    return pd.DataFrame(out)


def shuffled(rows, name, repeat):
    """The rows with the values of one column dealt out anew."""
    order = np.random.default_rng([SEED, repeat, FEATURES.index(name)]).permutation(len(rows))
    return rows.assign(**{name: rows[name].to_numpy()[order]})


def permuted(model, rows, names, repeat):
    """Predictions with each of the names shuffled in turn, in one call because most models pay per call."""
    table = predict(model, pd.concat([shuffled(rows, name, repeat) for name in names], ignore_index=True))
    table["row"] = np.tile(rows.index.to_numpy(), len(names))
    codes = np.repeat([FEATURES.index(name) for name in names], len(rows))
    return table.assign(feature=pd.Categorical.from_codes(codes, FEATURES), repeat=repeat)


def measured(model, rows, clock, until):
    """One column first, then as many at once as fit, at the speed so far, into half of the time that is left."""
    work = [(repeat, name) for repeat in range(REPEATS) for name in FEATURES]
    fit = max(1, 20_000_000 // (4 + len(CLASSES)) // len(rows))  # columns in a file that is read again
    most = max(1, min(20_000 // len(rows), 5_000_000 // rows.size))  # columns in memory at once
    at_once, total = 1, min(len(work), fit)
    while work:
        repeat, began = work[0][0], clock()
        names = [name for number, name in work[: min(at_once, fit)] if number == repeat]
        yield permuted(model, rows, names, repeat)
        del work[: len(names)]
        fit, now = fit - len(names), clock()
        done = {"kind": "progress", "done": total - min(len(work), fit), "total": total, "text": "importance"}
        print("@@" + json.dumps(done), flush=True)
        seconds = max((now - began) / len(names), 1e-6)
        at_once = max(1, min(most, int((until - now) / 2 / seconds)))
        if fit == 0 or now + seconds > until:
            return


if __name__ == "__main__":
    table = pd.read_parquet("inputs/table.parquet")
    rows = prepared(table)[[name for name in table.columns if name in FEATURES]]  # FEATURES is the order of measuring
    if len(rows) > MAX_ROWS:
        rows = rows.sample(MAX_ROWS, random_state=SEED).sort_index()
    parts = measured(load_model(), rows, time.monotonic, START + SECONDS)
    pd.concat(parts, ignore_index=True).to_parquet("outputs/permuted.parquet", index=False)
