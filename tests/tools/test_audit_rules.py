"""The audit's rules and words: what is a leak, what is none, what is offered, and rows that are asked for again."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, two_classes, write_predictions
from tools.audit import Probe, once
from tools.contract import Contract, Split
from tools.lint.finding import Finding
from tools.predictions import Predictions
from tools.probes import rows
from tools.probes.batches import Batches, batches, on_their_own
from tools.probes.columns import single, sums
from tools.probes.evidence import Identity, Measured, Weighed
from tools.probes.finding import split_by, without_columns
from tools.probes.known_later import dates
from tools.probes.leaks import is_identity, leak_of


def weighed(**figures: Any) -> Weighed:
    """A column that is fine, with some figures changed."""
    fine = {
        "column": "x", "view": "values", "power": 0.7, "others": 0.8, "left": 0.8, "others_left": 0.6, "rows": 1000,
        "given": 0, "given_right": 0.0, "given_gain": 0.0, "one_to_one": 0.6, "same": 0.0,
    }  # fmt: skip
    return Weighed.model_validate({**fine, **figures})


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({}, None),
        ({"left": 0.1, "others_left": 0.5}, "copy"),
        ({"left": 0.1, "others_left": 0.12}, None),  # one measurement of an honest table; the others know it as well
        ({"left": 0.4, "others_left": 0.9}, "collapse"),
        ({"given": 100, "given_right": 0.99, "given_gain": 0.5}, "given away"),
        ({"given": 100, "given_right": 0.99, "given_gain": 0.02}, None),
        ({"given": 100, "given_right": 0.9, "given_gain": 0.5}, None),
        ({"view": "filled or not", "given": 50, "given_right": 1.0}, "filled"),
        ({"one_to_one": 0.99, "left": 0.1}, "code"),
        ({"classes": [{"class": 1, "rows": 100, "left": 0.1, "others_left": 0.9}]}, "class"),
    ],
)
def test_a_column_is_a_leak_only_when_it_stands_alone(figures: dict[str, Any], reason: str | None) -> None:
    found = leak_of(weighed(**figures), [0.6, 0.4])
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({}, None),
        ({"left": 0.02, "others_left": 0.3}, "copy"),
        ({"left": 0.2, "others_left": 0.25}, None),
        ({"left": 0.2, "others_left": 0.9}, "collapse"),
        ({"same": 0.9, "left": 0.3, "others_left": 0.6}, "same unit"),
        ({"rank_left": 0.1, "others_rank_left": 0.5}, "order"),
        ({"filled": 200, "filled_left": 0.1, "filled_others_left": 0.9}, "where filled"),
    ],
)
def test_a_column_that_is_the_number(figures: dict[str, Any], reason: str | None) -> None:
    found = leak_of(weighed(**figures), [])
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("r2", "weights", "others_left", "is_number", "expected"),
    [
        (1.0, [1.0, -1.0], 0.5, True, True),
        (0.85, [1.0, -0.95], 0.6, True, True),  # a total with noise: weights of one size
        (0.85, [1.0, 0.2], 0.6, True, False),  # an honest linear table
        (0.95, [1.0, 0.2], 0.6, True, True),
        (0.95, [1.0, 0.2], 0.6, False, False),  # classes that lie well apart
        (1.0, [0.02, -0.02], 0.6, False, True),
    ],
)
def test_sums_and_products(
    r2: float, weights: list[float], others_left: float, is_number: bool, expected: bool
) -> None:
    one = Identity(
        scale="raw", columns=("a", "b"), weights=tuple(weights), alone=(0.5, 0.1), r2=r2, rows=500, others=0.4,
        others_left=others_left,
    )  # fmt: skip
    assert is_identity(one, is_number=is_number) is expected


@pytest.mark.parametrize("is_number", [True, False])
def test_one_column_is_no_sum(is_number: bool) -> None:
    """An honest column may dominate; whether it is a near-copy is another rule's question."""
    one = Identity(
        scale="raw", columns=("a",), weights=(2.0,), alone=(0.995,), r2=0.995, rows=500, others=0.2, others_left=0.8
    )
    assert not is_identity(one, is_number=is_number)


def _dated(**figures: Any) -> tuple[Measured, Contract]:
    """A table with a date that was weighed, beside a number."""
    columns = {"day": [date(2024, 1, 1)] * 3, "closed": [date(2024, 1, 2)] * 3, "x": [1.0] * 3, "y": [1.0, 2.0, 3.0]}
    read = {"metric": "r2", "rows": 500, "real": 0.8, "shuffled": [0.0], "single": {"day": 0.99, "x": 0.3}}
    contract = contract_for(columns, "y", split=Split(rule="time", column="day"))
    return Measured.model_validate({**read, **figures}), contract


def test_the_moment_of_the_row_is_known_beforehand() -> None:
    copied = weighed(column="day", left=0.01, others_left=0.9)
    measured, contract = _dated(suspects=(copied,))
    assert single(measured, contract, {}).passed
    filled = copied.model_copy(update={"column": "closed", "view": "filled or not"})
    assert not single(_dated(suspects=(filled,))[0], contract, {}).passed
    assert single(_dated(skipped=("leaking columns",))[0], contract, {}).passed


@pytest.mark.parametrize(("parts", "passed"), [(("day", "x"), True), (("day", "closed"), False), (("x", "y2"), True)])
def test_a_date_is_a_term_of_a_sum_only_beside_another(parts: tuple[str, ...], passed: bool) -> None:
    sum_of = Identity(
        scale="raw", columns=parts, weights=(1.0, -1.0), alone=(0.5, 0.1), r2=1.0, rows=500, others=0.2, others_left=0.8
    )
    assert sums(*_dated(identities=(sum_of,))).passed is passed


def test_repairs_are_changes_of_the_contract_and_words_for_the_terminal() -> None:
    some = without_columns(["gross", "gross", "elsewhere"], ["gross", "size"])
    assert some is not None
    assert (some.changes, some.flag) == ({"exclude": ["gross"]}, "--drop gross")
    assert without_columns(["size"], ["size"]) is None  # nothing would be left to learn from
    odd = without_columns(["a b; rm -rf"], ["a b; rm -rf", "x"])
    assert odd is not None
    assert odd.flag == "--drop 'a b; rm -rf'"
    assert split_by("group", "Patient nr").flag == "--split 'group:Patient nr'"


def test_what_the_split_has_measured_is_not_said_twice() -> None:
    probes = [Probe(probe=name, passed=True, detail="x") for name in ("later rows", "order in time", "labels")]
    assert [probe.probe for probe in once(probes)] == ["order in time", "labels"]
    assert [probe.probe for probe in once(probes[:1])] == ["later rows"]


def test_a_date_after_the_row_is_named(tmp_path: Path) -> None:
    day = np.arange(300).astype("datetime64[D]")
    columns = {**two_classes(), "opened": day, "closed": day + 3, "born": day - 9000}
    contract = contract_for(columns, "answer", split=Split(rule="time", column="opened"))
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table(columns), path)
    found = dates(path, contract)
    assert found is not None
    assert not found.passed
    assert found.detail.startswith("“closed” lies after “opened”")
    assert found.repair is not None
    assert found.repair.changes == {"exclude": ["closed"]}
    assert dates(path, contract_for(columns, "answer")) is None  # without a moment nothing is later


class _Model:
    """Predicts by one column, or by its rank among the rows of the question."""

    def __init__(self, ranks: bool) -> None:
        self.ranks = ranks

    def said(self, rows: pa.Table) -> Predictions:
        values = np.asarray(rows["size"].to_numpy(), dtype=np.float64)
        return Predictions(values.argsort().argsort().astype(float) if self.ranks else values, None)

    async def ask(self, rows: pa.Table) -> Predictions:
        return self.said(rows)


@pytest.mark.parametrize("ranks", [False, True])
async def test_a_model_that_looks_at_its_neighbours_is_found(tmp_path: Path, ranks: bool) -> None:
    columns = numbers(100)
    contract = contract_for(columns, "price")
    features = pa.table(columns).select(list(contract.features))
    pq.write_table(features, tmp_path / "features.parquet")
    model = _Model(ranks)
    made = write_predictions(tmp_path / "made.parquet", row=np.arange(100), prediction=model.said(features).values)
    found = await batches(model.ask, tmp_path / "features.parquet", made, contract)
    assert (found.rows, found.differing > 50) == (100, ranks)
    assert on_their_own(found).passed is not ranks


@pytest.mark.parametrize(
    ("z", "later", "passed"), [(4.5, 0.74, False), (3.5, 0.74, True), (3.5, 0.6, False), (9.0, 0.79, True)]
)
def test_later_rows_have_to_be_decisively_and_much_worse(z: float, later: float, passed: bool) -> None:
    columns = {**two_classes(), "day": list(range(300))}
    order = ({"column": "day", "later": later, "random": 0.8, "z": z, "rows": 200},)
    single = {"age": 0.7}
    measured = Measured.model_validate(
        {"metric": "roc_auc", "rows": 240, "real": 0.8, "shuffled": [0.5], "single": single, "order": order}
    )
    found = rows.later(measured, contract_for(columns, "answer"))
    assert found is not None
    assert found.passed is passed
    assert (found.repair is None) is passed


def test_a_model_that_cannot_answer_parts_is_told() -> None:
    assert not on_their_own(Batches(rows=9, differing=0, trouble="It crashed.")).passed


def test_what_the_critic_read_is_a_probe() -> None:
    from tools.audit import _code

    leak = Finding(
        rule="leakage:fit-before-split", source="policy", severity="error", line=7, sentence="It scales.", blocks=True
    )
    assert "Line 7" in _code([leak]).detail
    assert _code([leak.model_copy(update={"rule": "F821"})]).passed
