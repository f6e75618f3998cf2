"""What errors cost, said in a sentence: read, kept over follow-ups, and never in the way of anything else."""

import pytest

from agents import parser
from agents.language.costs import costs_in
from agents.language.summary import summary
from agents.state import Question, Request
from tests.agents.schemas import YES_NO, categories, numbers
from tools.schema import Schema

TABLE = Schema((*numbers("tenure", "monthly_charges"), *categories(2, "churn", values=YES_NO)))


def parsed(text: str, earlier: Request | None = None) -> Request:
    found = parser.parse(text, TABLE, earlier)
    assert isinstance(found, Request), found
    return found


@pytest.mark.parametrize(
    ("text", "costs", "rest"),
    [
        ("predict churn, a false alarm costs 1 and a missed one costs 20", "FP=1,FN=20", "predict churn"),
        ("predict churn with FP=1, FN=5", "FP=1,FN=5", "predict churn"),
        ("predict churn. A false positive costs $50, a false negative $1,000", None, ""),
        ("predict churn; a false positive costs $50, a false negative costs $1,000", "FP=50,FN=1000", "predict churn"),
        ("costs: FP=2, TP=30", "FP=2,TP=30", ""),
        (
            "predict churn where each false alarm costs 5 and each missed churner costs 100, without tenure",
            "FP=5,FN=100",
            "predict churn, without tenure",
        ),
        ("a hit brings 100 and a false alarm costs 4", "FP=4,TP=100", ""),
        ("predict churn, a miss costs 10", None, ""),
        ("predict cost from FP", None, ""),
        ("", None, ""),
    ],
)
def test_costs_are_taken_out_of_a_sentence(text: str, costs: str | None, rest: str) -> None:
    assert costs_in(text) == (costs, rest if costs else text)


def test_the_rest_of_the_sentence_is_understood_as_ever() -> None:
    found = parsed("predict churn without tenure, a false alarm costs 1, a miss costs 20, give it 40 s")
    assert (found.target, found.exclude, found.costs, found.budget_seconds) == ("churn", ("tenure",), "FP=1,FN=20", 40)
    assert "FP=1, FN=20" in summary(found, TABLE)


def test_costs_stay_until_other_ones_are_named() -> None:
    first = parsed("predict churn, FP=1, FN=5")
    assert parsed("try without tenure", first).costs == "FP=1,FN=5"
    changed = parsed("a false alarm costs 3 and a miss costs 9", first)
    assert (changed.kind, changed.target, changed.costs) == ("revise", "churn", "FP=3,FN=9")


def test_costs_alone_ask_for_the_column_and_are_not_forgotten() -> None:
    found = parser.parse("a false alarm costs 3 and a miss costs 9", TABLE)
    so_far = found.so_far if isinstance(found, Question) else found
    assert so_far.costs == "FP=3,FN=9"


def test_a_table_with_columns_of_such_names_is_safe() -> None:
    table = Schema(numbers("FP", "FN", "cost"))
    found = parser.parse("predict cost from FP and FN", table)
    assert isinstance(found, Request)
    assert (found.target, found.costs) == ("cost", None)
