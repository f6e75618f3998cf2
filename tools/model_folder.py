"""What lies beside a saved model so that it can be used without us: schema, a program to predict, versions, a card."""

import ast
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.contract import ColumnPlan, Contract, Role, Split, Task
from tools.ingest.errors import counted
from tools.markdown import plain
from tools.metrics import default_metric
from tools.recipes import explainer_for, predictor_for
from tools.syntax import tree_of

ALWAYS = ("numpy", "pandas", "pyarrow", "scikit-learn", "joblib")
FOR_NOTEBOOK = ("ipykernel", "nbconvert")
NAMED_OTHERWISE = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn", "PIL": "pillow", "yaml": "pyyaml"}
"""Import name -> distribution, where they differ."""


class Feature(BaseModel):
    """A column that the model was trained on."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    importance: float | None = None
    """How much worse the score gets when the column is shuffled; None: not measured."""


class ModelSchema(BaseModel):
    """schema.json: what a table needs so that the model can predict it."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    task: Task
    target: str
    classes: tuple[str, ...] = ()
    """In the order of the probability columns; empty for numbers."""
    positive_class: str | None = None
    features: tuple[Feature, ...] = Field(min_length=1)
    measure: str = ""
    """What `importance` is measured in."""

    @classmethod
    def of(cls, contract: Contract, report: Mapping[str, Any] | None = None) -> "ModelSchema":
        """The part of a contract that prediction needs; `report` knows how important the columns are."""
        found = report or {}
        drops = {item["feature"]: item["drop"] for item in found.get("importance", ())}
        features = [column for column in contract.columns if column.use]
        return cls(
            task=contract.task,
            target=contract.target,
            classes=contract.classes,
            positive_class=contract.positive_class,
            features=tuple(Feature(name=one.name, role=one.role, importance=drops.get(one.name)) for one in features),
            measure=found.get("importance_measure", "") if drops else "",
        )

    def contract(self) -> Contract:
        """A contract with this schema; what prediction does not need is left at its default."""
        return Contract(
            request="",
            row_unit="",
            task=self.task,
            target=self.target,
            positive_class=self.positive_class,
            classes=self.classes,
            columns=tuple(ColumnPlan(name=feature.name, role=feature.role, use=True) for feature in self.features),
            split=Split(),
            metric=default_metric(self.task)[0],
        )


def schema_text(contract: Contract, report: Mapping[str, Any] | None = None) -> str:
    """schema.json"""
    return json.dumps(ModelSchema.of(contract, report).model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def predict_program(contract: Contract) -> str:
    """predict.py: the very text that our own scoring loads models and predicts with, with a command line."""
    return predictor_for(contract)


def explain_program(contract: Contract) -> str:
    """explain.py: why the model answers as it does, with a command line."""
    return explainer_for(contract)


def requirements(script: str, *, notebook: bool = False) -> str:
    """requirements.txt: the packages that the script and its predictor import, at the versions installed here."""
    names = {*ALWAYS, *_imported(script), *(FOR_NOTEBOOK if notebook else ())}
    found = versions(names)
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found))


def versions(names: set[str] | tuple[str, ...] = ALWAYS) -> dict[str, str]:
    """Installed version of each distribution; those not installed are left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _imported(script: str) -> set[str]:
    """Distributions behind the imports of a script; the standard library falls out because it has no version."""
    try:
        tree = tree_of(script)
    except (SyntaxError, ValueError):
        return set()
    roots = {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    roots |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {NAMED_OTHERWISE.get(root, root.replace("_", "-")) for root in roots if root}


def model_card(report: Mapping[str, Any], contract: Contract, promise: str = "") -> str:
    """README.md of the model folder: what it is for and not for, how good it is, what it was made from, how to use it.

    The parts follow Mitchell et al. (2019). `promise`: what its intervals mean; "" where it has none.
    """
    metric, baseline, name = report["metric"], report["baseline"], report["metric"]["label"]
    columns = "\n".join(f"| `{_cell(column.name)}` | {column.role} |" for column in contract.columns if column.use)
    return f"""# Model card: {plain(contract.target)}

Predicts `{_cell(contract.target)}` ({report["task"]}) of {_cell(contract.row_unit) or "one row"}.
Asked for: “{plain(contract.request)}”.

{_made(report)}

## How good it is

| | value | 95 % interval |
|---|---|---|
| {name} on {report["rows_holdout"]:,} sealed rows | {metric["value"]:.4g} | {_interval(metric)} |
| baseline ({baseline["model"]}) on the same rows | {baseline["value"]:.4g} | {_interval(baseline)} |
{_further(report)}
Verdict: {report["verdict"]}. The sealed rows were scored {counted(report["holdout_looks"], "time")}.

{promise or "It comes without intervals: the sealed rows are too few, or it gives no probabilities."}

## Intended use

To predict `{_cell(contract.target)}` of {_cell(contract.row_unit) or "one row"} that comes from where the training
rows came from, with the columns below known before the answer is. A person should stand behind what is done with it.

Not for: rows of another time, place or population without checking it on them first (`modelwright replay`); decisions
about people that must be explained or may be contested, without a person who decides; as proof that a column causes
`{_cell(contract.target)}`.

## Use

    pip install -r requirements.txt
    python predict.py table.csv predictions.csv
    python explain.py table.csv --row 1

In Modelwright: `modelwright predict MODEL_FOLDER table.csv --out predictions.csv` (in a sandbox). Loading a model runs
code from its file: use only a model that you trust.

## The table that it needs

| column | kind |
|---|---|
{columns}

Columns beyond these are ignored; values that training never saw count as unknown, and are told in `warnings`.

## Take care

{_cautions(report)}
- It was judged on rows from the same table ({_split(report)}); rows of another time or place may differ.

## Where it comes from

- Trained on {report["rows_train"]:,} rows by `train.py`, seed {report.get("seed", contract.seed)}.
- Data {report["hashes"]["data"][:12]}, code {report["hashes"]["code"][:12]}, contract
  {report["hashes"]["contract"][:12]} (SHA-256).
- {_kept_rows(contract, report)}
- Made with {_versions(report)}.
- `schema.json` names its columns, `contract.json` the plan that was approved, `reference.json` describes the training
  rows in aggregate, `conformal.json` holds its intervals.
"""


def _made(report: Mapping[str, Any]) -> str:
    """Whose it is, from when, from what."""
    made = report.get("made") or {}
    data = f"{_cell(made['data'])} ({made['rows']:,} rows, {made['columns']:,} columns)" if made else "not recorded"
    owner = _cell(made.get("owner", "")) or "not named (set MODELWRIGHT_OWNER, or write it here)"
    return f"| | |\n|---|---|\n| owner | {owner} |\n| date | {made.get('date', 'not recorded')} |\n| data | {data} |"


def _further(report: Mapping[str, Any]) -> str:
    known = [one for one in report.get("also", ()) if one["value"] is not None]
    return "".join(f"| {one['label']} | {one['value']:.4g} | {_interval(one)} |\n" for one in known)


def _kept_rows(contract: Contract, report: Mapping[str, Any]) -> str:
    if not contract.sample_rows:
        return "No training row lies beside it; explanations compare with the rows that they are given."
    rows = min(contract.sample_rows, report["rows_train"])
    return (
        f"`background.parquet` holds {rows:,} real training rows (without the answer) for explanations to compare "
        "with: guard it like the table, or delete it (`--no-sample-rows` keeps none)."
    )


def _cautions(report: Mapping[str, Any]) -> str:
    alarms = [f"- {probe['detail']}" for probe in report["audit"] if probe["passed"] is False]
    said = alarms or ["- The audit raised no alarm; that is no proof that there is nothing to find."]
    return "\n".join([*said, *(f"- {plain(sentence)}" for sentence in _weak_points(report))])


def _weak_points(report: Mapping[str, Any]) -> Sequence[str]:
    """What the closer look found: where it fails, whether its chances can be read as they are."""
    parts = [report.get(name) or {} for name in ("slices", "calibration")]
    return [part["sentence"] for part in parts if part.get("sentence")]


def _split(report: Mapping[str, Any]) -> str:
    split = report.get("split") or {}
    column = f" by `{_cell(split['column'])}`" if split.get("column") else ""
    return f"{split.get('rule', 'random')} split{column}"


def _versions(report: Mapping[str, Any]) -> str:
    found = report.get("versions") or {"python": platform.python_version()}
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _interval(score: Mapping[str, Any]) -> str:
    if score["ci_low"] is None or score["ci_high"] is None:
        return "–"
    return f"{score['ci_low']:.4g} to {score['ci_high']:.4g}"


def _cell(text: str) -> str:
    """A user's words in one line of Markdown."""
    return " ".join(str(text).replace("|", "\\|").replace("`", "'").split())
