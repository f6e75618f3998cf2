"""Asking a finished model what it relies on: in the chat and with `modelwright explain`, all of it for real."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agents.events import Envelope
from chat_app.cli_explain import names_in, query_of
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.exits import CommandError
from chat_app.explaining import ExplainOrder, explain
from chat_app.projector import Projection
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import to_the_end
from tests.chat_app.test_conductor import Shared
from tools.explaining.explanation import Query

SCRIPT = '''"""A straight model."""

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression

TARGET = "species"


def main():
    table = pd.read_parquet("inputs/train.parquet")
    model = LogisticRegression(max_iter=500).fit(table.drop(columns=[TARGET]), table[TARGET])
    joblib.dump(model, "outputs/model.joblib")


if __name__ == "__main__":
    main()
'''


@pytest_asyncio.fixture
async def conductor(settings: Settings, sandbox: Sandbox) -> AsyncIterator[Conductor]:
    async with open_conductor(settings, Shared(sandbox)) as opened:
        yield opened


async def said(conductor: Conductor, project: str, message: str) -> list[Envelope]:
    """What the log holds after a message."""
    before = (await conductor.events(project))[-1].seq
    reply = await conductor.start(project, message)
    assert reply.accepted, reply.sentence
    return await to_the_end(conductor, project, before)


def answer(events: list[Envelope]) -> dict[str, Any]:
    found = [event for event in events if event.type == "EXPLAINED"]
    assert len(found) == 1, [event.payload for event in events if event.type == "ANSWERED"]
    return dict(found[0].payload)


async def test_a_result_is_questioned_in_the_chat_and_taken_along(
    conductor: Conductor, settings: Settings, tmp_path: Path
) -> None:
    project = await conductor.new_project(policy=Policy(False, False))
    await conductor.start(project, "classify species", ["iris"], script=SCRIPT)
    first = await to_the_end(conductor, project)
    assert first[-1].payload["outcome"] == "done"

    row = answer(await said(conductor, project, "why row 17?"))
    assert (row["about"], row["row"]) == ("row", 17)
    assert "Row 17: the model says setosa" in row["text"]
    assert "It adds up to" in row["text"]
    assert "script's own answers" in row["text"]
    chart = json.loads(conductor.vault(project).get_text(row["charts"][0]["spec_hash"]))
    assert chart["data"]["values"][0]["label"] == "average"

    change = answer(await said(conductor, project, 'what would change it if only "petal_length_cm" may change?'))
    assert (change["about"], change["row"], list(change["chosen"])) == ("change", 17, ["petal_length_cm"])
    assert "petal_length_cm" in change["text"]

    column = answer(await said(conductor, project, "how does petal length influence it?"))
    assert (column["about"], column["row"]) == ("column", None)
    shown = Projection(project, await conductor.events(project))
    cards = [card for card in shown.cards.values() if card.kind == "Explanation"]
    assert [card.props["about"] for card in cards] == ["row", "change", "column"]
    assert shown.bubbles[cards[0].key].text == row["text"]

    wrong = await said(conductor, project, "why row 900?")
    assert "rows 1 to 150" in next(event.payload["text"] for event in wrong if event.type == "ANSWERED")

    folder = settings.project_folder(project) / "attempts" / "1" / "artifacts"
    assert (folder / "model" / "explain.py").is_file()
    assert (folder / "model" / "background.parquet").is_file()
    told: list[str] = []
    order = ExplainOrder(str(folder / "model"), "iris", Query("row", 17), tmp_path / "why", seconds=5)
    found = await explain(order, settings, told.append)
    assert "Row 17: the model says setosa" in found.text
    assert {path.name for path in (tmp_path / "why").iterdir()} == {
        "explanation.md", "explanation.json", "why_row.csv", "why_row.png"
    }  # fmt: skip
    with pytest.raises(CommandError, match="rows 1 to 150"):
        await explain(ExplainOrder(str(folder), "iris", Query("row", 151)), settings, told.append)
    with pytest.raises(CommandError, match="does not use “age”"):
        await explain(ExplainOrder(str(folder), None, Query("column", column="age")), settings, told.append)
    with pytest.raises(CommandError, match="no folder, bundle or project"):
        await explain(ExplainOrder(str(tmp_path / "nowhere"), "iris", Query("model")), settings, told.append)


async def test_a_question_before_any_result_says_what_to_do_first(conductor: Conductor) -> None:
    project = await conductor.new_project(policy=Policy(True, True))
    await conductor.start(project, "describe the table", ["iris"])
    await to_the_end(conductor, project)
    events = await said(conductor, project, "explain the model")
    assert "EXPLAINED" not in [event.type for event in events]


def test_options_are_one_question() -> None:
    assert query_of(row=None, what_if=None, to=None, column=None) == Query("model")
    assert query_of(row=3, what_if=None, to=None, column=None) == Query("row", 3)
    assert query_of(row=3, what_if="all", to="yes", column=None) == Query("change", 3, wanted="yes")
    assert query_of(row=3, what_if='a, "b, c"', to=None, column=None).may_change == ("a", "b, c")
    assert query_of(row=None, what_if=None, to=None, column="a").about == "column"
    for wrong in ({"what_if": "a"}, {"to": "yes"}, {"row": 1, "column": "a"}):
        options = {"row": None, "what_if": None, "to": None, "column": None, **wrong}
        with pytest.raises(CommandError):
            query_of(**options)  # type: ignore[arg-type]
    assert names_in(" , ") == ()
