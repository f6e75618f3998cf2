"""A table whose target hangs on a ratio that no recipe computes, and scripts as a language model would give them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.events import Envelope
from agents.llm.endpoint import Endpoint
from agents.state import Decision
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import at_gate, to_the_end, until
from tests.openai_server import Behaviour, ModelServer

SECRET = "Rumpelstiltskin"
ROWS = 450
REQUEST = "predict late with a linear model"
"""One kind of model, so that the recipe is quick."""
END = 'if __name__ == "__main__":\n    main()'
"""The last lines of the recipe, which every edit here changes."""

IMPROVED = '''
import joblib
import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier


class Ratio:
    """Knows the fraction of debt by income."""

    def fit(self, table, labels):
        self.tree = DecisionTreeClassifier(max_depth=2, min_samples_leaf=20, random_state=SEED)
        self.tree.fit(self.columns(table), labels)
        self.classes_ = self.tree.classes_
        return self

    def columns(self, table):
        ratio = table["debt"].astype(float) / table["income"].astype(float)
        return (ratio - np.floor(ratio)).to_frame()

    def predict_proba(self, table):
        return self.tree.predict_proba(self.columns(table))

    def predict(self, table):
        return self.tree.predict(self.columns(table))


def main():
    table = pd.read_parquet("inputs/train.parquet")
    labels = table.pop(TARGET)
    joblib.dump(Ratio().fit(table, labels), "outputs/model.joblib")


if __name__ == "__main__":
    main()
'''


def write_table(path: Path, rows: int = ROWS) -> Path:
    """late is "yes" where the fraction of debt / income is above one half."""
    drawn = np.random.default_rng(0)
    debt, income = drawn.uniform(10, 90, rows).round(2), drawn.uniform(2, 9, rows).round(2)
    late = np.where(((debt / income) % 1 > 0.5) != (drawn.random(rows) < 0.04), "yes", "no")
    lines = ["debt,income,age,town,late"]
    for number in range(rows):
        town = SECRET if number % 2 else "Berlin"
        lines.append(f"{debt[number]},{income[number]},{20 + number % 50},{town},{late[number]}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def proposal(idea: str, *, changes: int = 0, script: str = "", edits: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """One script of an answer."""
    pairs = [{"search": search, "replace": replace} for search, replace in edits]
    return {"idea": idea, "changes": changes, "edits": pairs, "script": script}


def proposals(*found: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    return {"reason": "a ratio may matter", "proposals": list(found)}


def endpoint(server: ModelServer, seconds: float = 20.0) -> Endpoint:
    """As a user would configure it."""
    return Endpoint(base_url=server.url, model="m", seconds=seconds)


async def told(
    folder: Path,
    sandbox: Sandbox,
    server: ModelServer,
    *script: Behaviour,
    improve: float | bool | None = 600.0,
    rows: int = ROWS,
    whole: bool = False,
) -> tuple[list[Envelope], dict[str, Any]]:
    """(the log of a run with a model that says this, its report.json); without `whole` it ends with the search."""
    folder.mkdir(exist_ok=True)
    server.plays(*script)
    table = write_table(folder / "loans.csv", rows)
    settings = Settings(home=folder / "home", code=endpoint(server))
    async with open_conductor(settings, Kept(sandbox)) as conductor:
        project = await conductor.new_project(policy=Policy(False, False))
        reply = await conductor.start(project, REQUEST, [table], budget_seconds=6, improve=improve)
        assert reply.accepted
        if not whole:
            await until(conductor, project, lambda one: one.type in ("SEARCH_ENDED", "SCORED", "TURN_ENDED"))
            await conductor.stop(project, keep=False)
        events = await to_the_end(conductor, project)
        return events, report_of(conductor, project, events)


def report_of(conductor: Conductor, project: str, events: Sequence[Envelope]) -> dict[str, Any]:
    """The last report; {} when there is none."""
    answered = [one for one in events if one.type == "ANSWERED" and one.payload["kind"] == "result"]
    found: dict[str, Any] = {}
    if answered:
        found = conductor.vault(project).get_json(answered[-1].payload["facts"]["report_hash"])
    return found


async def say(conductor: Conductor, project: str, gate: str, decision: Decision, after: int = 0) -> Envelope:
    """Wait for a gate and answer it."""
    waiting = await at_gate(conductor, project, gate, after)
    reply = await conductor.decide(project, waiting.payload["interrupt_id"], decision)
    assert reply.accepted, reply.sentence
    return waiting


def steps(events: Sequence[Envelope]) -> dict[int, dict[str, Any]]:
    """What was told last of each script."""
    return {one.payload["node"]: dict(one.payload) for one in events if one.type == "SEARCH_STEP"}


def ended(events: Sequence[Envelope]) -> dict[str, Any]:
    """How the search ended."""
    return dict(next(one.payload for one in events if one.type == "SEARCH_ENDED"))


class Kept:
    """The tests' common sandbox, which a conductor must not close."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)

    async def close(self) -> None:
        """It is used by others."""
