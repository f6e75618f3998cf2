"""A notebook that trains again from the delivered files and arrives at the report's number, cell by cell.

It is executed in the bundle's folder and uses nothing but files that are there: inputs/, holdout/, model/, report.json.
The training script is the same text as train.py, cut into cells at its functions.
"""

import ast
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import nbformat
from nbformat import v4

from tools.contract import Contract
from tools.markdown import plain
from tools.syntax import tree_of

KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
TOLERANCE = 1e-6

SETUP = """
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Image, display

RETRAIN = True  # False: skip the training and look at the delivered model only (seconds instead of minutes)

Path("outputs").mkdir(exist_ok=True)
REPORT = json.loads(Path("report.json").read_text(encoding="utf-8"))
CONTRACT = json.loads(Path("contract.json").read_text(encoding="utf-8"))
pd.DataFrame(CONTRACT["columns"])[["name", "role", "use", "steps", "reason"]]
"""

DATA = """
rows = pd.read_parquet("inputs/train.parquet")
print(f"{len(rows):,} rows to learn from, {rows.shape[1]} columns, target {CONTRACT['target']!r}")
rows.head()
"""

BY_FILE = """
if RETRAIN:
    done = subprocess.run([sys.executable, "train.py"], capture_output=True, text=True)
    print(done.stdout[-4000:], done.stderr[-4000:], sep="\\n")
    done.check_returncode()
"""

PREDICT = '''
def predictions_of(model):
    """Predict the sealed rows with a saved model, in a program of its own (model/predict.py)."""
    places = ["inputs/holdout_features.parquet", "outputs/predictions.parquet"]
    subprocess.run([sys.executable, "model/predict.py", *places, model], check=True)
    rows, found = (pd.read_parquet(place) for place in places)
    added, classes = found.iloc[:, rows.shape[1] :], CONTRACT["classes"]  # what stands behind the columns of the table
    soft = added.shape[1] > len(classes) and str(added.columns[1]).startswith("p_") if classes else False
    names = ["prediction", *(f"p_{number}" for number in range(len(classes)) if soft)]
    return added.iloc[:, : len(names)].set_axis(names, axis=1).assign(row=range(len(rows)))


labels = pd.read_parquet("holdout/labels.parquet").set_index("row")["target"]
delivered = predictions_of("model/model.joblib")
delivered.head()
'''

CHECK = """
VALUE = REPORT["metric"]["value"]
again = metric(delivered)
print(f"{REPORT['metric']['name']} of the delivered model: {again:.6f} (report: {VALUE:.6f})")
assert abs(again - VALUE) <= 1e-6 * max(1.0, abs(VALUE)), "The delivered model does not reach the reported number."
"""

CHECK_RETRAINED = """
if RETRAIN:
    fresh = metric(predictions_of("outputs/model.joblib"))
    print(f"{REPORT['metric']['name']} of the model trained above: {fresh:.6f} (report: {VALUE:.6f})")
    if abs(fresh - VALUE) > 1e-6 * max(1.0, abs(VALUE)):
        print("They differ: this machine was slower, has other library versions, or the script is not deterministic.")
    low, high = REPORT["metric"]["ci_low"], REPORT["metric"]["ci_high"]
    if low is not None and high is not None and not low <= fresh <= high:
        print(f"The model trained above is outside the report's interval ({low:.6f} to {high:.6f}): raise TIME_BUDGET.")
"""

BASELINE = """
pd.DataFrame([{"what": "this model", **REPORT["metric"]}, {"what": "baseline", **REPORT["baseline"]}])
"""

LEADERBOARD = 'pd.DataFrame(REPORT["leaderboard"])'
AUDIT = 'pd.DataFrame(REPORT["audit"])'
EXPLAIN = """
call = [sys.executable, "model/explain.py", "inputs/holdout_features.parquet", "--row", "1"]
print(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
"""
CHARTS = """
for picture in sorted(Path("charts").glob("*.png")):
    display(Image(filename=str(picture), width=520))
"""

_BINARY = """
positive = CONTRACT["classes"].index(CONTRACT["positive_class"])


def metric(table):
    y = (labels.loc[table["row"]].to_numpy() == CONTRACT["positive_class"]).astype(int)
    p = table[f"p_{{positive}}"].to_numpy() if f"p_{{positive}}" in table else None
    label = (table["prediction"] == CONTRACT["positive_class"]).to_numpy().astype(int)
    return float({formula})
"""

_CLASSES = """
classes = CONTRACT["classes"]


def metric(table):
    code = {{label: number for number, label in enumerate(classes)}}
    y = labels.loc[table["row"]].map(code).to_numpy()
    p = table[[f"p_{{number}}" for number in range(len(classes))]].to_numpy() if "p_0" in table else None
    label = table["prediction"].map(code).to_numpy()
    present = [number for number in range(len(classes)) if (y == number).any()]
    return float({formula})
"""

_NUMBERS = """
def metric(table):
    y = labels.loc[table["row"]].to_numpy(dtype=float)
    value = table["prediction"].to_numpy()
    return float({formula})
"""

_FORMULAS: Mapping[str, Mapping[str, str]] = {
    "binary": {
        "roc_auc": "metrics.roc_auc_score(y, p)",
        "average_precision": "metrics.average_precision_score(y, p)",
        "log_loss": "-np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-15, 1)).mean()",
        "brier": "((p - y) ** 2).mean()",
        "balanced_accuracy": "metrics.balanced_accuracy_score(y, label)",
        "accuracy": "metrics.accuracy_score(y, label)",
        "f1": "metrics.f1_score(y, label, zero_division=0)",
        "precision": "metrics.precision_score(y, label, zero_division=0)",
        "recall": "metrics.recall_score(y, label, zero_division=0)",
    },
    "multiclass": {
        "roc_auc": "np.mean([metrics.roc_auc_score(y == c, p[:, c]) for c in present])",
        "average_precision": "np.mean([metrics.average_precision_score(y == c, p[:, c]) for c in present])",
        "log_loss": "-np.log(np.clip((p / p.sum(axis=1, keepdims=True))[np.arange(len(y)), y], 1e-15, 1)).mean()",
        "brier": "((p - np.eye(len(classes))[y]) ** 2).sum(axis=1).mean()",
        "balanced_accuracy": "metrics.recall_score(y, label, labels=present, average='macro', zero_division=0)",
        "accuracy": "metrics.accuracy_score(y, label)",
        "f1": "metrics.f1_score(y, label, labels=present, average='macro', zero_division=0)",
        "precision": "metrics.precision_score(y, label, labels=present, average='macro', zero_division=0)",
        "recall": "metrics.recall_score(y, label, labels=present, average='macro', zero_division=0)",
    },
    "regression": {
        "rmse": "np.sqrt(((y - value) ** 2).mean())",
        "mae": "np.abs(y - value).mean()",
        "r2": "metrics.r2_score(y, value)",
        "mape": "(np.abs(y - value)[y != 0] / np.abs(y[y != 0])).mean()",
        "median_absolute_error": "np.median(np.abs(y - value))",
    },
}
_SHAPES = {"binary": _BINARY, "multiclass": _CLASSES, "regression": _NUMBERS}


def metric_code(contract: Contract) -> str:
    """The contract's metric as a few lines of numpy and scikit-learn, independent of our own scorer."""
    body = _SHAPES[contract.task].format(formula=_FORMULAS[contract.task][contract.metric])
    needs = "from sklearn import metrics\n\n" if "metrics." in body else ""
    return needs + body.strip("\n")


def notebook(report: Mapping[str, Any], contract: Contract, script: str) -> Any:
    """The notebook of one attempt, valid nbformat 4; `script` is the text of train.py."""
    cells = [*_opening(report, contract), *_training(script), *_judging(contract), *_closing(report)]
    about = {**KERNEL, "language_info": {"name": "python"}}
    book = v4.new_notebook(cells=cells, metadata=about)  # type: ignore[no-untyped-call]
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number:02d}"  # random ids would make every bundle different
    nbformat.validate(book)
    return book


def notebook_text(report: Mapping[str, Any], contract: Contract, script: str) -> str:
    """The notebook as the text of an .ipynb file; the same input gives the same text."""
    return json.dumps(notebook(report, contract, script), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _words(text: str) -> Any:
    return v4.new_markdown_cell(text)  # type: ignore[no-untyped-call]


def _code(text: str) -> Any:
    return v4.new_code_cell(text.strip())  # type: ignore[no-untyped-call]


def _opening(report: Mapping[str, Any], contract: Contract) -> list[Any]:
    metric = report["metric"]
    words = f"""# Predict {plain(contract.target)}

{plain(contract.request)}

**{metric.get("label", metric["name"])} = {metric["value"]:.4g}** on {report["rows_holdout"]:,} sealed rows
(baseline {report["baseline"]["value"]:.4g}); verdict: {plain(report["verdict"])}.

Run this notebook in the folder where it lies, with the packages of `requirements.txt` installed
(`jupyter nbconvert --execute --inplace notebook.ipynb`). It trains again and ends at the same number."""
    return [
        _words(words),
        _words("## The contract\n\nWhat is predicted from what, column by column."),
        _code(SETUP),
        _words("## The data"),
        _code(DATA),
    ]


def _training(script: str) -> list[Any]:
    """The script in cells if it has the usual shape; else it is shown and run as the program that it is."""
    try:
        parts = list(sections(script))
    except ValueError:
        fence = "`" * max(3, _longest_ticks(script) + 1)
        shown = f"## Training\n\nThe script `train.py`:\n\n{fence}python\n{script.strip()}\n{fence}"
        return [_words(shown), _code(BY_FILE)]
    head = _words("## Training\n\nThe text of `train.py`, cut into cells.")
    return [head, *(_code(part) for part in parts)]


def _longest_ticks(text: str) -> int:
    runs = "".join(letter if letter == "`" else " " for letter in text).split()
    return max((len(run) for run in runs), default=0)


def sections(script: str) -> Iterator[str]:
    """A program cut at its top-level functions and classes; its `if __name__ == "__main__"` asks for RETRAIN.

    ValueError for a program that does not end with such a guard: its work cannot be told from its definitions.
    """
    tree = tree_of(script)
    if not tree.body or not _is_guard(tree.body[-1]) or any(_is_guard(node) for node in tree.body[:-1]):
        raise ValueError("The script does not end with one `if __name__ == '__main__':`.")
    if "sys.argv" in script or "argparse" in script or "__file__" in script:
        raise ValueError("The script reads its own name or arguments, which a notebook has not.")
    lines = script.splitlines()
    start, plain = 0, True
    for node in tree.body:
        first = _first_line(node, lines)
        is_block = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If)
        if (is_block or not plain) and first > start:
            yield from _cell(lines[start:first])
            start = first
        plain = not is_block
        if _is_guard(node):
            yield _unguarded(lines, node, start)


def _first_line(node: ast.stmt, lines: Sequence[str]) -> int:
    """Index of the line where a statement begins, its decorators and the comment above it included."""
    first = node.lineno - 1
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and node.decorator_list:
        first = node.decorator_list[0].lineno - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return first


def _cell(lines: Sequence[str]) -> Iterator[str]:
    text = "\n".join(lines).strip("\n")
    if text.strip():
        yield text


def _is_guard(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    return isinstance(node.test.left, ast.Name) and node.test.left.id == "__name__"


def _unguarded(lines: Sequence[str], node: ast.stmt, start: int) -> str:
    """The guarded block, run when the reader wants to train again."""
    body = textwrap.dedent("\n".join(lines[node.lineno : node.end_lineno]))
    comment = "\n".join(lines[start : node.lineno - 1]).strip("\n")
    return (f"{comment}\n" if comment else "") + "if RETRAIN:\n" + textwrap.indent(body, "    ")


def _judging(contract: Contract) -> list[Any]:
    return [
        _words(
            "## The sealed rows\n\nNo training program saw these labels; they are delivered to you, the owner of the "
            "data. The delivered model predicts the rows, then the metric is computed."
        ),
        _code(PREDICT),
        _code(metric_code(contract)),
        _code(CHECK),
        _code(CHECK_RETRAINED),
    ]


def _closing(report: Mapping[str, Any]) -> list[Any]:
    cells = [_words("## Beside the baseline"), _code(BASELINE)]
    if report.get("leaderboard"):
        cells += [_words("## Models compared"), _code(LEADERBOARD)]
    if report.get("audit"):
        cells += [_words("## What the audit looked for"), _code(AUDIT)]
    if report.get("explanation"):
        cells += [_words("## What it relies on\n\nOne row taken apart; see model/explain.py."), _code(EXPLAIN)]
    return [*cells, _words("## Charts"), _code(CHARTS)]
