"""Questions about a finished model are told apart from questions about the result and from changes of the plan."""

import pytest

from agents.language.summary import summary
from agents.parser import parse
from agents.state import Explain, Request
from tests.agents.schemas import SCHEMAS


def asked(message: str, table: str = "telco", target: str = "Churn") -> Request:
    earlier = Request(kind="model", text=f"predict {target}", target=target)
    outcome = parse(message, SCHEMAS[table], earlier)
    assert isinstance(outcome, Request), outcome
    return outcome


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        ("why row 17?", Explain(about="row", row=17)),
        ("Row 12", Explain(about="row", row=12)),
        ("explain row no. 1,204 please", Explain(about="row", row=1204)),
        ("why was this customer predicted to churn?", Explain(about="row")),
        ("Why was customer 7590-VHVEG predicted to churn?", Explain(about="row", who=("7590-VHVEG",))),
        ("explain this prediction", Explain(about="row")),
        ("what would change it?", Explain(about="change")),
        ("what would have to change for row 12?", Explain(about="change", row=12)),
        ("what would change row 5 to get No?", Explain(about="change", row=5, wanted="No")),
        (
            "What would change the answer of row 17 if only “tenure”, “Contract” may change?",
            Explain(about="change", row=17, columns=("tenure", "Contract")),
        ),
        ("How does tenure influence it?", Explain(about="column", columns=("tenure",))),
        ("what is the effect of contract on churn", Explain(about="column", columns=("Contract",))),
        ("partial dependence of monthly charges", Explain(about="column", columns=("MonthlyCharges",))),
        ("explain the model", Explain(about="model")),
        ("show me shap values", Explain(about="model")),
        ("how does the model decide?", Explain(about="model")),
    ],
)
def test_a_question_about_the_model_is_understood(message: str, meant: Explain) -> None:
    found = asked(message)
    assert (found.kind, found.explain, found.target) == ("explain", meant, "Churn")
    assert "what it relies on" in summary(found, SCHEMAS["telco"])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("why?", "why"),
        ("why so low?", "why"),
        ("explain the result", "why"),
        ("what matters most?", "why"),
        ("explain the table", "profile"),
        ("what if we leave out tenure", "revise"),
        ("what would change if we used accuracy", "revise"),
        ("try without tenure", "revise"),
    ],
)
def test_other_questions_stay_what_they_are(message: str, kind: str) -> None:
    assert (asked(message).kind, asked(message).explain) == (kind, None)


@pytest.mark.parametrize("message", ["why row 17?", "explain the model", "what would change it?"])
def test_before_there_is_a_model_nothing_is_explained(message: str) -> None:
    outcome = parse(message, SCHEMAS["telco"])
    assert not isinstance(outcome, Request) or outcome.kind != "explain"
