"""Columns computed by an operation: on real values, under names that no column can turn into code, in the script."""

from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from tools.blueprints.script import active, parameters
from tools.contract import BlueprintPart, ColumnPlan, Contract, Derived, Formula, Operation, Role, Split
from tools.formulas import OPERATIONS, computed, formula_facts, function_of, in_words, name_for
from tools.lint import check
from tools.recipes import recipe_for

HOSTILE = '"""); import os; os.system("id") #'
NUMBERS = pd.Series([4.0, -8.0, np.nan, 0.0])
OTHERS = pd.Series([2.0, 0.0, 1.0, 5.0])
DAYS = pd.to_datetime(pd.Series(["2024-02-29T13:30", None, "2023-12-31", "2024-01-01"]), utc=True, format="mixed")
LATER = DAYS + pd.Timedelta(days=3, hours=12)
NAN = float("nan")
EXPECTED: dict[str, list[Any]] = {
    "ratio": [2.0, NAN, NAN, 0.0],
    "difference": [2.0, -8.0, NAN, -5.0],
    "sum": [6.0, -8.0, NAN, 5.0],
    "product": [8.0, 0.0, NAN, 0.0],
    "log": [np.log(5), -np.log(9), NAN, 0.0],
    "bin": [2.0, 0.0, NAN, 1.0],
    "year": [2024, NAN, 2023, 2024],
    "month": ["February", NAN, "December", "January"],
    "weekday": ["Thursday", NAN, "Sunday", "Monday"],
    "hour": [13, NAN, 0, 0],
    "days_between": [3.5, NAN, 3.5, 3.5],
}


def made(operation: Operation, *sources: str, **more: Any) -> Formula:
    """A computed column as a plan has it."""
    edges = (-1.0, 3.0) if operation == "bin" else ()
    return Formula(name=name_for(operation, sources, ()), operation=operation, sources=sources, edges=edges, **more)


def contract(*formulas: Formula) -> Contract:
    """A small plan over columns with names of all kinds."""
    roles: dict[str, Role] = {"a b": "number", HOSTILE: "number", "größe": "number", "when": "date", "plan": "category"}
    return Contract(
        request="",
        row_unit="one row",
        task="regression",
        target="y",
        metric="rmse",
        columns=tuple(ColumnPlan(name=name, role=role, use=True) for name, role in roles.items()),
        split=Split(),
        formulas=formulas,
    )


@pytest.mark.parametrize("operation", get_args(Operation))
def test_each_operation_computes_what_it_says(operation: Operation) -> None:
    how = OPERATIONS[operation]
    given = ([NUMBERS, OTHERS] if how.takes[0] == "number" else [DAYS, LATER])[: len(how.takes)]
    one = made(operation, *["x", "y"][: len(given)])
    space: dict[str, Any] = {"np": np, "pd": pd}
    exec(function_of(one), space)  # our own text, made from a closed list
    values = list(space[one.name](*given))
    for value, wanted in zip(values, EXPECTED[operation], strict=True):
        assert (pd.isna(value) and pd.isna(wanted)) or value == pytest.approx(wanted)


def test_a_name_is_made_of_plain_letters_and_is_nobody_elses() -> None:
    assert name_for("ratio", ["Total Debt (€)", "größe"], ()) == "total_debt_per_grosse"
    assert name_for("log", ["数"], ()) == "log_column_1"
    assert name_for("year", ["2nd date"], ()) == "c_2nd_date_year"
    assert name_for("log", ["loss"], {"log_loss"}) == "log_loss_2"
    assert name_for("product", [HOSTILE, "b"], ()).isidentifier()


def test_the_script_computes_them_and_no_column_becomes_code() -> None:
    plan = contract(made("ratio", HOSTILE, "größe"), made("weekday", "when"), made("log", "a b", use=False))
    script = recipe_for(plan, train_seconds=5)
    assert "def log_a_b(" not in script
    assert [one.name for one in active(plan)] == [plan.formulas[0].name, "when_weekday"]
    outside = [line for line in script.splitlines() if "os.system" in line]
    assert outside
    assert all(line.lstrip().startswith(("NUMBERS", "'", '"', "{", "[", "DERIVED")) for line in outside)
    assert not [found for found in check(script, target="y", features=plan.features) if found.blocks]


def test_a_column_that_is_left_out_takes_what_is_computed_from_it_along() -> None:
    plan = contract(made("ratio", "a b", "größe"))
    without = tuple(one.model_copy(update={"use": one.name != "größe"}) for one in plan.columns)
    assert not active(plan.model_copy(update={"columns": without}))
    assert parameters(contract(made("month", "when")), {"NUMBERS": [], "CATEGORIES": []}) == {
        "NUMBERS": [],
        "CATEGORIES": ["when_month"],
    }


def test_the_words_name_the_columns_and_who_proposed_them() -> None:
    one = made("bin", "a b", reason="few large ones", by="m at host")
    assert in_words(one) == "the range into which “a b” falls (limits -1, 3)"
    assert formula_facts([one.model_dump()]) == [
        ("Computed", f"a_b_range: {in_words(one)} (few large ones, says m at host)")
    ]
    assert computed(contract(one), "def a_b_range(a):")[0]["used"]
    assert not computed(contract(one), "print(1)")[0]["used"]


def test_beside_a_blueprint_a_column_is_read_as_one_kind_and_a_name_given_once() -> None:
    derived = Derived(name="log_a_b", role="number", sources=(("x", "a b"),), needs=("x",), meaning="Its own.")
    part = BlueprintPart(
        name="own",
        title="Own",
        sentence="",
        matched=(),
        kinds=(("a b", "number"), ("größe", "category")),
        derived=(derived,),
        code='def log_a_b(x):\n    """Its own."""\n    return x * 1000',
        quality=100,
    )
    taken, misread, fine = made("log", "a b"), made("ratio", "a b", "größe"), made("weekday", "when")
    plan = contract(taken, misread, fine).model_copy(update={"blueprint": part})
    assert [one.name for one in active(plan)] == ["log_a_b", "when_weekday"]
    script = recipe_for(plan, train_seconds=5)
    assert "return x * 1000" in script
    assert "def when_weekday(a):" in script
    assert "np.log1p(a.abs())" not in script
