"""What lies beside a saved model so that it can be used without us: schema, a program to predict, versions, a card."""

import ast
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.contract import ColumnPlan, Contract, Role, Split, Task
from tools.markdown import plain
from tools.metrics import default_metric
from tools.recipes import predictor_for

ALWAYS = ("numpy", "pandas", "pyarrow", "scikit-learn", "joblib")
FOR_NOTEBOOK = ("ipykernel", "nbconvert")
NAMED_OTHERWISE = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn", "PIL": "pillow", "yaml": "pyyaml"}
"""Import name -> distribution, where they differ."""


class Feature(BaseModel):
    """A column that the model was trained on."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role


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

    @classmethod
    def of(cls, contract: Contract) -> "ModelSchema":
        """The part of a contract that prediction needs."""
        return cls(
            task=contract.task,
            target=contract.target,
            classes=contract.classes,
            positive_class=contract.positive_class,
            features=tuple(Feature(name=column.name, role=column.role) for column in contract.columns if column.use),
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


def schema_text(contract: Contract) -> str:
    """schema.json"""
    return json.dumps(ModelSchema.of(contract).model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def predict_program(contract: Contract) -> str:
    """predict.py: the very text that our own scoring loads models and predicts with, with a command line."""
    return predictor_for(contract)


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
        tree = ast.parse(script)
    except (SyntaxError, ValueError):
        return set()
    roots = {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    roots |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {NAMED_OTHERWISE.get(root, root.replace("_", "-")) for root in roots if root}


def model_card(report: Mapping[str, Any], contract: Contract) -> str:
    """README.md of the model folder: what it is for, how good it is, how to use it, what it is not for."""
    metric, baseline = report["metric"], report["baseline"]
    columns = "\n".join(f"| `{_cell(column.name)}` | {column.role} |" for column in contract.columns if column.use)
    alarms = [f"- {probe['detail']}" for probe in report["audit"] if probe["passed"] is False]
    cautions = "\n".join(alarms) or "- The audit raised no alarm; that is no proof that there is nothing to find."
    name = metric["label"]
    return f"""# Model card: {plain(contract.target)}

Predicts `{_cell(contract.target)}` ({report["task"]}) of {_cell(contract.row_unit) or "one row"}.
Asked for: “{plain(contract.request)}”.

| | value | 95 % interval |
|---|---|---|
| {name} on {report["rows_holdout"]:,} sealed rows | {metric["value"]:.4g} | {_interval(metric)} |
| baseline ({baseline["model"]}) on the same rows | {baseline["value"]:.4g} | {_interval(baseline)} |

Verdict: {report["verdict"]}

## Use

    pip install -r requirements.txt
    python predict.py table.csv predictions.csv

In Modelwright: `modelwright predict MODEL_FOLDER table.csv --out predictions.csv` (in a sandbox). Loading a model runs
code from its file: use only a model that you trust.

## The table that it needs

| column | kind |
|---|---|
{columns}

Columns beyond these are ignored; values that training never saw count as unknown.

## Take care

{cautions}
- It was judged on rows from the same table; rows of another time or place may differ.
- Trained on {report["rows_train"]:,} rows. Data {report["hashes"]["data"][:12]}, code {report["hashes"]["code"][:12]}.
"""


def _interval(score: Mapping[str, Any]) -> str:
    if score["ci_low"] is None or score["ci_high"] is None:
        return "–"
    return f"{score['ci_low']:.4g} to {score['ci_high']:.4g}"


def _cell(text: str) -> str:
    """A user's words in one line of Markdown."""
    return " ".join(str(text).replace("|", "\\|").replace("`", "'").split())
