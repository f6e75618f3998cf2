"""The notebook: valid, readable, and executed top to bottom it arrives at the report's number."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.tools.result_scene import Result, make
from tools.chart_images import Renderer
from tools.contract import Contract, Task
from tools.export import export
from tools.metrics import METRICS, metrics_for
from tools.notebook import metric_code, notebook_text, sections

SCRIPT = '''"""What it does."""

import sys

A = 1
B = 2


def one():
    """First."""
    return A


@staticmethod
def two():
    return B


# The end.
if __name__ == "__main__":
    print(one())
    print(two())
'''


def executed(folder: Path) -> dict[str, Any]:
    """The notebook after `jupyter nbconvert --execute` in its folder."""
    command = "-m jupyter nbconvert --to notebook --execute --inplace notebook.ipynb"
    done = subprocess.run([sys.executable, *command.split()], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8"))
    return found


def printed(book: dict[str, Any]) -> str:
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) for output in outputs)


def exported(result: Result, into: Path) -> Path:
    with Renderer(workers=1) as renderer:
        export(
            report=result.report, contract=result.contract, script=result.script, sealed=result.sealed,
            model=result.model, charts=result.charts[:1], into=into, renderer=renderer,
        )  # fmt: skip
    return into


@pytest.mark.slow
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_executed_it_arrives_at_the_reported_score(task: Task, tmp_path: Path) -> None:
    result = make(task, tmp_path / "made")
    folder = exported(result, tmp_path / "out")
    said = printed(executed(folder))
    value = f"{result.report['metric']['value']:.6f}"
    assert f"of the delivered model: {value} (report: {value})" in said
    assert f"of the model trained above: {value} (report: {value})" in said
    assert "They differ" not in said
    assert "trained\n" in said


@pytest.mark.slow
def test_a_report_that_lies_makes_it_fail_and_training_can_be_skipped(result: Result, tmp_path: Path) -> None:
    folder = exported(result, tmp_path / "out")
    book = (folder / "notebook.ipynb").read_text()
    assert book.count("RETRAIN = True") == 1
    (folder / "notebook.ipynb").write_text(book.replace("RETRAIN = True", "RETRAIN = False"))
    report = json.loads((folder / "report.json").read_text())
    report["metric"]["value"] = 0.999
    (folder / "report.json").write_text(json.dumps(report))
    with pytest.raises(AssertionError, match="does not reach the reported number"):
        executed(folder)
    assert not (folder / "outputs" / "model.joblib").exists()


def test_a_script_is_cut_at_its_functions_and_its_end_asks_whether_to_train() -> None:
    parts = list(sections(SCRIPT))
    assert [part.splitlines()[0] for part in parts] == [
        '"""What it does."""', "def one():", "@staticmethod", "# The end.",
    ]  # fmt: skip
    assert parts[-1] == "# The end.\nif RETRAIN:\n    print(one())\n    print(two())"


def test_the_cells_are_the_whole_program() -> None:
    joined = "\n".join(sections(SCRIPT)).replace("if RETRAIN:", 'if __name__ == "__main__":')
    assert [line for line in joined.splitlines() if line.strip()] == [
        line for line in SCRIPT.splitlines() if line.strip()
    ]


@pytest.mark.parametrize(
    "script",
    ["print(1)\n", "import argparse\nif __name__ == '__main__':\n    argparse.ArgumentParser().parse_args()\n", ""],
)
def test_another_shape_of_program_is_run_as_it_is(script: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="script"):
        list(sections(script))


def test_a_program_with_fences_in_it_stays_one_block(result: Result) -> None:
    text = notebook_text(result.report, result.contract, 'TEXT = """\n```\n"""\nprint(TEXT)\n')
    book = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    shown = next(cell.source for cell in book.cells if cell.source.startswith("## Training"))
    assert "````python" in shown


def test_it_is_valid_the_same_each_time_and_names_no_folder(result: Result) -> None:
    text = notebook_text(result.report, result.contract, result.script)
    assert text == notebook_text(result.report, result.contract, result.script)
    book = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)
    assert str(result.model.parent) not in text
    for cell in book.cells:
        if cell.cell_type == "code":
            compile(cell.source, "cell", "exec")


def test_words_of_the_user_are_words_and_no_markup(result: Result) -> None:
    contract = result.contract.model_copy(
        update={"request": "<script>alert(1)</script> # head\n# other", "target": "a|b"}
    )
    book = json.loads(notebook_text(result.report, contract, result.script))
    first = "".join(book["cells"][0]["source"])
    assert "<script>" not in first
    assert "\n# other" not in first


def _contract(task: Task, metric: str) -> Contract:
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    positive = "yes" if task == "binary" else None
    return Contract.model_validate(
        {
            "request": "", "row_unit": "", "task": task, "target": "t", "classes": classes, "positive_class": positive,
            "columns": [], "split": {}, "metric": metric,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, metric.name) for task in ("binary", "multiclass", "regression") for metric in metrics_for(task)],
)
def test_the_formula_in_the_notebook_agrees_with_the_scorer(task: Task, name: str) -> None:
    import pandas as pd

    contract = _contract(task, name)
    draw = np.random.default_rng(3)
    if task == "regression":
        truth: Any = np.append(draw.normal(5, 2, 80), 0.0)
        table = pd.DataFrame({"row": range(81), "prediction": truth + draw.normal(0, 1, 81)})
        ours = METRICS[name].compute(truth, table["prediction"].to_numpy(), 0)
        labels = pd.Series(truth)
    else:
        size = len(contract.classes)
        codes = draw.integers(0, size, 81)
        p = draw.dirichlet(np.ones(size), 81)
        said = p.argmax(axis=1)
        truth = np.array(contract.classes, dtype=object)[codes]
        table = pd.DataFrame({"row": range(81), "prediction": np.array(contract.classes, dtype=object)[said]})
        table = table.assign(**{f"p_{i}": p[:, i] for i in range(size)})
        given: Any = said if METRICS[name].needs == "label" else p[:, 1] if task == "binary" else p
        ours = METRICS[name].compute(codes, given, size)
        labels = pd.Series(truth)
    names: dict[str, Any] = {"CONTRACT": contract.model_dump(mode="json"), "labels": labels, "np": np, "pd": pd}
    exec(metric_code(contract), names)
    assert names["metric"](table) == pytest.approx(ours, abs=1e-9)
