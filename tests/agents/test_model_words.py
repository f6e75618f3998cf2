"""One kind of model, chosen in a sentence."""

import pytest

from agents.language.models import model


@pytest.mark.parametrize(
    ("words", "depth"),
    [
        ("predict churn with a shallow tree", "3"),
        ("predict churn with a small decision tree of depth 2", "2"),
        ("predict churn using a very simple tree model", "3"),
        ("predict churn with a decision tree", None),
    ],
)
def test_a_shallow_tree_is_a_decision_tree_of_three_questions(words: str, depth: str | None) -> None:
    found = model(words)
    assert found.rest == "predict churn"
    assert found.value is not None
    assert found.value["estimator"] == "decision_tree"
    assert found.value.get("parameters", {}).get("max_depth") == depth


def test_a_column_about_trees_is_no_wish_for_one() -> None:
    assert model("predict a single tree height").value is None
