"""Rows for the model of the last result, brought along in the chat: predicted, kept as a file, shown and linked."""

import csv
import json
from pathlib import Path

import pytest

from agents.events import Envelope
from agents.predicting import answer, fits_the_model, rows_asked
from chat_app.conductor import Policy, open_conductor
from chat_app.settings import Settings
from sandbox.base import Sandbox
from tests.chat_app.scenes import to_the_end
from tests.chat_app.test_conductor import Shared

SCRIPT = """
import joblib
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

table = pd.read_parquet("inputs/train.parquet")
names = [name for name in table.columns if name != "species"]
tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(table[names], table["species"])
joblib.dump(tree, "outputs/model.joblib")
"""
GIVEN, TARGET = ("age", "city"), "churn"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("predict these rows", True),
        ("Please score the attached file", True),
        ("apply the model to this file", True),
        ("predictions for these customers at 95 %", True),
        ("predict churn", True),  # there is no churn in it to learn from
        ("predict", True),
        ("predict age", False),
        ("predict city without age", False),
        ("what is in the data?", False),
        ("", False),
    ],
)
def test_what_is_meant_with_a_table_that_lacks_the_target(text: str, meant: bool) -> None:
    assert (fits_the_model(text, GIVEN, TARGET, GIVEN) is not None) == meant


@pytest.mark.parametrize("text", ["predict churn", "predict it", "train on this", "predict age from city"])
def test_a_table_with_the_target_is_one_to_learn_from_unless_rows_are_named(text: str) -> None:
    assert fits_the_model(text, (*GIVEN, TARGET), TARGET, GIVEN) is None
    assert fits_the_model("predict these rows", (*GIVEN, TARGET), TARGET, GIVEN) is not None
    assert rows_asked(text) is None


def test_how_it_is_to_be_done_stands_in_the_words() -> None:
    asked = rows_asked('predict {"age": 3, "city": "Oslo"} strictly at 95%, anyway')
    assert asked is not None
    assert asked.rows == ({"age": 3, "city": "Oslo"},)
    assert (asked.wishes.level, asked.wishes.strict, asked.wishes.fill_missing) == (0.95, True, True)
    assert rows_asked('{"age": 3}') is None
    assert rows_asked("predict {broken") is None


def test_words_from_a_table_are_no_markup() -> None:
    found = {"rows": 1, "file": "a|b.csv", "columns_added": ["prediction"]}
    text = answer("y|<b>", found, [{"prediction": "[x](http://evil)", "c|d": None}], "/api/x", ["a *note*"])
    assert "[x](" not in text
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "| prediction | c\\|d |" in text


def last(events: list[Envelope], kind: str) -> Envelope:
    return [event for event in events if event.type == kind][-1]


async def test_rows_are_predicted_with_the_last_model(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    async with open_conductor(settings, Shared(sandbox)) as conductor:
        project = await conductor.new_project(policy=Policy(False, False))
        assert (await conductor.start(project, "classify species in 5 s", ["iris"], script=SCRIPT)).accepted
        events = await to_the_end(conductor, project)
        assert events[-1].payload["outcome"] == "done", events[-3:]
        contract = last(events, "PREPROCESS_PLAN").payload["contract"]
        names = [column["name"] for column in contract["columns"] if column["use"]]
        rows = tmp_path / "new flowers.csv"
        rows.write_text(f"{','.join(names)}\n" + "5.1,3.5,1.4,0.2\n6.3,3.3,6.0,250\n")

        async def said(text: str, *files: Path) -> list[Envelope]:
            seen = len(await conductor.events(project))
            assert (await conductor.start(project, text, files)).accepted
            return await to_the_end(conductor, project, seen)

        told = last(await said("predict these rows at 95 %", rows), "ANSWERED").payload
        assert told["kind"] == "predictions", told
        path = conductor.artifact_path(project, 1, "predictions/new-flowers-predictions.csv")
        with path.open() as file:
            found = list(csv.DictReader(file))
        assert [row["prediction"] for row in found] == ["setosa", "virginica"]
        assert [row["warnings"] for row in found] == ["", f"{names[3]} 250 is above what training had (up to 2.5)"]
        assert found[0]["set"].split(" | ")[0] == "setosa"
        assert f"/api/projects/{project}/artifacts/1/predictions/new-flowers-predictions.csv" in told["text"]
        assert "| prediction |" in told["text"]
        assert told["facts"]["interval"]["level"] == 0.95

        row = json.dumps(dict(zip(names, (6.3, 3.3, 6.0, 2.5), strict=True)))
        told = last(await said(f"predict {row}"), "ANSWERED").payload
        assert told["facts"]["classes"] == {"setosa": 0, "versicolor": 0, "virginica": 1}

        rows.write_text(f"{','.join(names[:3])}\n5.1,3.5,1.4\n")
        told = last(await said("predict these rows", rows), "ANSWERED").payload
        assert "lacks the column" in told["text"]
        told = last(await said("predict these rows anyway"), "ANSWERED").payload
        assert told["facts"]["rows"] == 1
        assert "counts as missing in every row" in told["text"]

        assert "no rows to predict" in last(await said("Predict new rows"), "ANSWERED").payload["text"]
        events = await said("why?")  # the result is still there
        assert last(events, "ANSWERED").payload["kind"] == "why"
        assert events[-1].payload["outcome"] == "done"
