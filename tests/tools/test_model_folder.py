"""What lies beside a model: its card says whose it is, how good, for what and not for what; its schema what matters."""

import json

from tests.tools.result_scene import Result
from tools.model_folder import ModelSchema, model_card, schema_text

MADE = {"owner": "Ann | Co.\n# Boss", "date": "2026-11-20", "data": "cells `x`.csv", "rows": 569, "columns": 7}


def test_the_card_tells_what_a_stranger_has_to_know(result: Result) -> None:
    card = model_card({**result.report, "made": MADE}, result.contract, "It holds 90 %.")
    assert (
        "| owner | Ann \\| Co. # Boss |\n| date | 2026-11-20 |\n| data | cells 'x'.csv (569 rows, 7 columns) |" in card
    )
    for part in ("## Intended use", "Not for: ", "## Take care", "It holds 90 %.", "scikit-learn", "stratified split"):
        assert part in card
    assert f"Trained on {result.sealed.rows_train:,} rows" in card
    assert all(f"| `{name}` | number |" in card for name in result.contract.features)
    assert f"{result.report['metric']['value']:.4g}" in card


def test_a_card_of_an_older_report_says_what_it_does_not_know(result: Result) -> None:
    also = [{**one, "value": None} for one in result.report["also"]]
    card = model_card({**result.report, "also": also}, result.contract)
    assert "| owner | not named (set MODELWRIGHT_OWNER, or write it here) |" in card
    assert "| date | not recorded |" in card
    assert "It comes without intervals" in card


def test_the_schema_knows_what_was_important(result: Result) -> None:
    found = ModelSchema.model_validate(json.loads(schema_text(result.contract, result.report)))
    first, *others = found.features
    assert first.importance == 0.12
    assert {feature.importance for feature in others} == {None}
    assert found.measure
    assert ModelSchema.model_validate(json.loads(schema_text(result.contract))).measure == ""
