"""Predict a table with the model in this folder.

    python predict.py TABLE OUTPUT [MODEL] [--level 0.9] [--strict] [--fill-missing]

TABLE and OUTPUT end in .csv, .tsv, .parquet, .json or .jsonl; OUTPUT gets the columns of TABLE, then the prediction,
for classes the probability of each (p_<class>), and what the files beside this one know: conformal.json the interval
or the set of classes that holds the truth at this level, reference.json how the row is unlike those of training
(--strict: then nothing is written). Loading a model runs code from its file: use only a model that you trust.
"""

import ast
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model.joblib"
SCRIPT = HERE / "train.py"
CLASSES = ["0", "1"]  # in the order of the columns p_0, p_1, ...; empty for numbers
FEATURES = ["x"]
NUMBERS = ["x"]
DATES = []


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
            return joblib.load(MODEL)
        finally:
            sys.modules["__main__"] = here


def prepared(table):
    """The columns that training had, in its order and types; what is not there or not of its kind is missing."""
    table = table.reindex(columns=FEATURES)
    for name in [name for name in NUMBERS if not pd.api.types.is_numeric_dtype(table[name])]:
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
