"""Edits, stand-ins and masked tracebacks; and whatever a model answers, what comes out of it is sound."""

import ast
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_as
from hypothesis import strategies as st

from agents.llm.egress import shown
from agents.llm.endpoint import Endpoint
from agents.llm.spending import Spending
from agents.llm.traces import masked
from agents.llm.veil import Veil
from agents.minds.analyst import Asked, write
from agents.minds.asking import Asker
from agents.minds.code_generator import Task, rewrite
from agents.minds.edits import Edit, EditError, applied, objection
from agents.minds.vision import MOST_COLUMNS, look, problem_with
from agents.models import Models
from tests.openai_server import ModelServer, says, serving
from tools.contract import ColumnPlan, Contract, Split
from tools.lint import check
from tools.pictures import Picture
from tools.recipes import parameters
from tools.schema import Schema, SchemaColumn

SECRET = "Rumpelstiltskin"
SCRIPT = f'''"""Classes: {SECRET} and others."""
import joblib
import pandas as pd

TARGET = "churn"
CLASSES = ["{SECRET}", "O'Brien"]  # {SECRET} is the second
SEED = 1

table = pd.read_parquet("inputs/train.parquet")
joblib.dump(dict(table), "outputs/model.joblib")
'''


def edit(search: str, replace: str) -> Edit:
    return Edit(search=search, replace=replace)


def test_edits_are_made_in_order_and_each_place_exactly_once() -> None:
    edits = [edit("SEED = 1", "SEED = 1\nFOLDS = 5"), edit("FOLDS = 5", "FOLDS = 7")]
    assert "FOLDS = 7" in applied(SCRIPT, edits)
    for wrong, words in (("nowhere", "does not occur"), ("import", "occurs 2 times"), (" \n", "is empty")):
        with pytest.raises(EditError, match=words):
            applied(SCRIPT, [edit(wrong, "x")])
    with pytest.raises(EditError, match="too many"):
        applied(SCRIPT, [edit("SEED = 1", "SEED = 1")] * 31)
    with pytest.raises(EditError, match="grows"):
        applied(SCRIPT, [edit("SEED = 1", "x" * 300_000)])


@pytest.mark.parametrize(
    ("search", "replace", "words"),
    [
        ("SEED = 1", "SEED = 2", "SEED was changed"),
        ("SEED = 1\n", "", "SEED is gone"),
        ("SEED = 1", "SEED = int('1')", "SEED is gone"),
        ('"outputs/model.joblib"', '"outputs/other.bin"', "has to save its model"),
        ("import joblib", "import (", "no Python"),
        ("SEED = 1", "SEED = 1 ", "the same as before"),
        ("SEED = 1", "SEED = 1\nX = " + "(" * 500, "no Python"),
    ],
)
def test_what_a_changed_script_has_to_keep(search: str, replace: str, words: str) -> None:
    after = applied(SCRIPT, [edit(search, replace)])
    assert words in objection(SCRIPT, after.rstrip() + "\n" if "same" not in words else SCRIPT + "\n")


def test_values_have_stand_ins_outside_and_come_back_as_they_were() -> None:
    veil = Veil.over([SECRET, "O'Brien", 'say "hi"', "0", "true", "new\nline"], ["churn"])
    hidden = veil.hide(SCRIPT)
    assert SECRET not in hidden
    assert "Brien" not in hidden
    assert veil.show(hidden) == SCRIPT
    written = hidden.replace("SEED = 1", "SEED = 1\nA = 'VALUE_3'\nB = \"VALUE_2\"\nC = 'VALUE_4'")
    names = parameters(veil.show(written))
    assert (names["A"], names["B"], names["C"]) == ('say "hi"', "O'Brien", "new\nline")
    assert veil.unknown("x = 'VALUE_9'") == "VALUE_9"
    escaped = 'NAMES = ["Rumpel\\x73tiltskin", "O\\\'Brien"]\n'
    assert SECRET not in ast.literal_eval(veil.hide(escaped).partition("=")[2].strip())
    assert parameters(veil.show(veil.hide(escaped)))["NAMES"] == [SECRET, "O'Brien"]
    for odd in "\f\v\x1c\x85\u2028":  # no end of a line for Python
        assert SECRET not in veil.hide(f"# a{odd}b\nNAMES = ['{SECRET}']\n")
    broken = f'x = "{SECRET}\n'  # what cannot be read hides everything
    assert SECRET not in veil.hide(broken)


def test_a_traceback_that_a_script_makes_up_tells_no_value_either() -> None:
    stderr = f"""Traceback (most recent call last):
  File "/workspace/script.py", line 2, in {SECRET}
{SECRET}Error: call 06 12 34 56 78 on 12/03/85"""
    found = masked(stderr, Veil.over([SECRET]).hide(SCRIPT)).text
    assert SECRET not in found
    assert "12" not in found
    assert "line 2" in found


@pytest.mark.parametrize(
    "message",
    [
        f"ValueError: could not convert string to float: '{SECRET}'",
        f"pandas.errors.DateParseError: Unknown datetime string format, unable to parse: {SECRET}, at position 0",
        f"KeyError: '{SECRET}'",
        f"sklearn.exceptions.NotFittedError: {SECRET} earned 72431.50",
        f"RuntimeError: {SECRET}: {SECRET} {SECRET}",
    ],
)
def test_of_a_traceback_no_value_is_told(message: str) -> None:
    stderr = f"""{SECRET} was here
Traceback (most recent call last):
  File "/workspace/script.py", line 9, in <module>
    table = "{SECRET}"
  File "/usr/lib/python3.11/site-packages/pandas/core/frame.py", line 4102, in __getitem__
    raise "{SECRET}"
{message}
"""
    script = Veil.over([SECRET]).hide(SCRIPT)
    found = masked(stderr, script, ("churn",))
    assert SECRET not in found.text
    assert "72431" not in found.text
    assert "line 9" in found.text
    assert "4102" not in found.text
    assert found.text.splitlines()[-1].startswith(message.partition(":")[0].rpartition(".")[2])
    assert found.line == 9
    assert masked("no traceback", script).text == ""
    assert "“churn”" not in masked(stderr.replace(message, "KeyError: 'churn'"), script, ("churn",)).text
    assert "churn" in masked(stderr.replace(message, "KeyError: 'churn'"), script, ("churn",)).text


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with serving() as running:
        yield running


async def nobody(call: object) -> None:
    """Not interested."""


@asynccontextmanager
async def asking(server: ModelServer) -> AsyncIterator[Asker]:
    one = Endpoint(base_url=server.url, model="m", seconds=20.0)
    models = Models({"code": [one], "vision": [one]}, backoff=0.0)
    yield Asker(models, Spending(), nobody)
    await models.close()


EDITS = st.lists(
    st.fixed_dictionaries(
        {
            "search": st.sampled_from(["SEED = 1", "import", "CLASSES", "", "nowhere", "joblib.dump"]),
            "replace": st.sampled_from(["SEED = 1\n# VALUE_1", "", "import os", "eval(input())", "x = (", "VALUE_77"]),
        }
    ),
    max_size=3,
)
WHOLE = st.sampled_from(["", "print(1)", "import socket", SCRIPT, "\0", SCRIPT + "import os\nos.remove('/')\n"])
CHANGED = st.fixed_dictionaries(
    {
        "reason": st.text(max_size=20),
        "about": st.sampled_from(["script", "plan", "neither"]),
        "edits": EDITS,
        "script": WHOLE,
    }
)
ANALYSED = st.fixed_dictionaries(
    {
        "reason": st.text(max_size=20),
        "answerable": st.booleans(),
        "missing": st.text(max_size=20),
        "edits": EDITS,
        "script": WHOLE | st.just("import json\njson.dump({}, open('outputs/answer.json', 'w'))\n"),
    }
)
NAMES = st.lists(st.text(max_size=6), max_size=3)
READ = st.fixed_dictionaries(
    {
        "description": st.text(max_size=20),
        "kind": st.sampled_from(["chart", "table", "neither"]),
        "uncertain": NAMES,
        "columns": NAMES,
        "rows": st.lists(NAMES, max_size=3),
    }
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SCHEMA = Schema((SchemaColumn("churn", "text", "category", 2), SchemaColumn("age", "integer", "number", 50)), 100)
CONTRACT = Contract(
    request="predict churn",
    row_unit="customer",
    task="binary",
    target="churn",
    positive_class=SECRET,
    classes=(SECRET, "O'Brien"),
    columns=(ColumnPlan(name="age", role="number", use=True, steps=(), reason=""),),
    split=Split(rule="random", holdout_fraction=0.2),
    metric="roc_auc",
    also=(),
    budget_seconds=10.0,
    candidates=("linear",),
    seed=1,
)
often = run_as(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@given(said=CHANGED | ANYTHING)
@often
async def test_a_changed_script_holds_or_there_is_none(said: Any, server: ModelServer) -> None:
    server.plays(says(json.dumps(said)))
    contract = CONTRACT
    task = Task(SCRIPT, contract, shown(SCHEMA), 10.0, (SECRET, "O'Brien"), wish="be better")
    async with asking(server) as asker:
        found = await rewrite(task, asker)
    if not found.code:
        assert found.trouble or found.about != "script"
        return
    assert objection(SCRIPT, found.code) == ""
    blocking = check(found.code, target=contract.target, features=contract.features, classes=contract.classes)
    assert not any(finding.blocks for finding in blocking)
    assert "VALUE_" not in found.code


@given(said=ANALYSED | ANYTHING)
@often
async def test_an_analysis_holds_or_there_is_none(said: Any, server: ModelServer) -> None:
    server.plays(says(json.dumps(said)))
    async with asking(server) as asker:
        found = await write(Asked("how many?", shown(SCHEMA), SCHEMA.names, 100), asker)
    if not found.code:
        assert found.trouble or found.missing
        return
    assert "answer.json" in found.code
    assert not any(finding.blocks for finding in check(found.code, features=SCHEMA.names))


@given(said=READ | ANYTHING)
@often
async def test_what_was_read_off_a_picture_is_a_table_or_nothing(said: Any, server: ModelServer) -> None:
    server.plays(says(json.dumps(said)))
    async with asking(server) as asker:
        found = await look(Picture(b"x", "image/png", 20, 20), "predict", asker)
    if found.seen is None:
        assert found.trouble
        return
    assert problem_with(found.seen) == ""
    assert found.seen.kind == "neither" or 0 < len(found.seen.columns) <= MOST_COLUMNS
    assert found.seen.kind == "neither" or all(len(row) == len(found.seen.columns) for row in found.seen.rows)
