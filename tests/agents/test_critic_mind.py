"""A model beside the critic: its remarks point at lines and figures that are there, and take nothing away."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.critic import with_remarks
from agents.llm.egress import NOTHING
from agents.llm.endpoint import Endpoint
from agents.llm.spending import Spending
from agents.llm.veil import Veil
from agents.minds.asking import Asker
from agents.minds.critic import CodeRead, ResultRead, found_in, read_code, remarks_in
from agents.minds.figures import Figure
from agents.models import Models
from tests.openai_server import answers, fails, serving
from tests.tools.test_formulas import contract
from tools.lint import Finding, Review, check

SECRET = "Rumpelstiltskin"
CODE = f"""import pandas as pd

LABELS = ["{SECRET}", "other"]
table = pd.read_parquet("inputs/train.parquet")
table["copy"] = table["y"]  # nobody will notice
print(table.shape)
print(table.shape)
"""
LINES = CODE.splitlines()
LEAK: dict[str, Any] = {
    "line": 5,
    "quote": 'table["copy"] = table["y"]',
    "reason": "the target is copied into a feature",
    "kind": "leak",
    "blocks": True,
}
FIGURES = (Figure("score", 0.8312, "0.831", "ROC-AUC"), Figure("rows_sealed", 40, "40", "rows"))


def remarks(*said: dict[str, Any]) -> tuple[Finding, ...]:
    """The findings that come of these remarks."""
    return found_in(CodeRead.model_validate({"remarks": list(said)}), LINES, Veil(), by="m").findings


def test_a_remark_on_a_line_becomes_a_finding_that_a_person_may_decide() -> None:
    (found,) = remarks(LEAK)
    assert (found.source, found.rule, found.line, found.blocks, found.action) == ("model", "model:leak", 5, True, "ask")
    assert found.sentence == "the target is copied into a feature (says m)."
    (noted,) = remarks({**LEAK, "blocks": False})
    assert (noted.severity, noted.action) == ("warning", "note")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"line": 99}, 5),
        ({"line": -1}, 5),
        ({"quote": 'table["copy"]=table["y"]'}, 5),
        ({"line": 7, "quote": "print(table.shape)"}, 7),
        ({"line": 3, "quote": "print(table.shape)"}, None),
        ({"quote": "fit(holdout)"}, None),
        ({"quote": ""}, None),
        ({"reason": " "}, None),
    ],
)
def test_a_remark_has_to_point_at_a_line_that_is_there(changed: dict[str, Any], line: int | None) -> None:
    assert [found.line for found in remarks({**LEAK, **changed})] == ([] if line is None else [line])


def test_a_model_adds_and_never_takes_away() -> None:
    review = Review(code_hash="c", findings=check("import socket\nsocket.socket()\n", target="y"))
    assert review.security_blocked
    both = with_remarks(review, remarks({**LEAK, "blocks": False}))
    assert both.security_blocked
    assert set(review.findings) < set(both.findings)
    assert not both.blocked_by_model
    assert with_remarks(Review(code_hash="c"), remarks(LEAK)).blocked_by_model


async def test_values_of_cells_are_stand_ins_outside_and_words_again_inside() -> None:
    reason = {**LEAK, "line": 3, "quote": 'LABELS = ["VALUE_1"', "reason": "VALUE_1 is written into the script"}
    with serving() as server:
        server.plays(answers({"remarks": [reason]}))
        models = Models({"reasoning": [Endpoint(base_url=server.url, model="m", seconds=20.0)]}, backoff=0.0)
        ask = Asker(models, Spending(), _nobody)
        found = await read_code(CODE, "print(1)\n", contract(), [SECRET], NOTHING, ask)
        assert SECRET.encode() not in b"".join(server.heard)
        assert "3: LABELS" in str(server.asked[0]["messages"][-1]["content"])
        assert found.findings[0].sentence.startswith(f"{SECRET} is written into the script (says m at")
        server.plays(fails(401))
        nothing = await read_code(CODE, CODE, contract(), [SECRET], NOTHING, ask)
        assert nothing.findings == ()
        assert nothing.said.endswith("Only the built-in critic has read the script.")
        await models.close()


async def test_of_a_recipe_that_was_changed_only_the_changes_are_read() -> None:
    recipe = "\n".join(f"line_{number} = {number}" for number in range(400))
    changed = recipe.replace("line_200 = 200", "line_200 = 'cheat'")
    with serving() as server:
        server.plays(answers({"remarks": []}))
        models = Models({"code": [Endpoint(base_url=server.url, model="m", seconds=20.0)]}, backoff=0.0)
        await read_code(changed, recipe, contract(), [], NOTHING, Asker(models, Spending(), _nobody))
        await models.close()
        sent = str(server.asked[0]["messages"][-1]["content"]).splitlines()
    assert "201: line_200 = 'cheat'" in sent
    assert len(sent) < 15


@pytest.mark.parametrize(
    ("figure", "reason", "stands"),
    [
        ("score", "Only 40 rows carry it", True),
        ("chart_roc", "It looks better than it is", True),
        ("score", "It is really 0.99", False),
        ("nowhere", "It is high", False),
        ("score", "", False),
    ],
)
def test_a_remark_on_a_result_names_what_is_there(figure: str, reason: str, stands: bool) -> None:
    said = ResultRead.model_validate({"remarks": [{"figure": figure, "reason": reason, "kind": "weak evidence"}]})
    found = remarks_in(said, FIGURES, {"score", "rows_sealed", "chart_roc"}, [], by="m")
    assert (len(found.remarks) == 1) == stands
    assert bool(found.said) != stands


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "line": st.integers(),
                "quote": st.sampled_from([*LINES, "", "x", "no such line", "print"]) | st.text(max_size=20),
                "reason": st.text(st.characters(exclude_categories=()), max_size=50),
                "kind": st.sampled_from(["leak", "wrong metric", "cheating", "mistake"]),
                "blocks": st.booleans(),
            }
        ),
        max_size=12,
    )
)
def test_whatever_is_remarked_the_experts_findings_stand_and_lines_exist(said: list[dict[str, Any]]) -> None:
    review = Review(code_hash="c", findings=EXPERT)
    both = with_remarks(review, remarks(*said))
    assert tuple(one for one in both.findings if one.source != "model") == review.findings
    assert all(1 <= one.line <= len(LINES) for one in both.findings if one.source == "model")
    assert both.model_dump_json()
    assert not any(one.severity == "security" for one in both.findings if one.source == "model")


EXPERT = check(CODE, target="y", features=["a b"])


async def _nobody(call: object) -> None:
    """Not interested."""
