"""The probes: silent on honest tables, loud on planted traps, and unmoved by a probe file that lies."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.base import Sandbox
from tests.tools.modelling_scene import contract_for, numbers, run, sealed_scene, two_classes, write_predictions
from tools.audit import Probe, assemble, duplicates_across_split
from tools.contract import Contract, Split
from tools.probes.evidence import read_probe
from tools.recipes import audit_for
from tools.score import score
from tools.seal import Sealed

HONEST = {"metric": "roc_auc", "rows": 240, "real": 0.8, "shuffled": [0.5, 0.49, 0.51], "single": {"age": 0.7}}


async def probes(sandbox: Sandbox, columns: dict[str, Any], contract: Contract, folder: Path) -> dict[str, Probe]:
    """Seal, run the audit program in the sandbox, judge what it found."""
    sealed = sealed_scene(columns, contract, folder)
    ran = await run(sandbox, audit_for(contract, seconds=10), {"train.parquet": sealed.train}, folder / "audit")
    assert ran.outcome.ok, f"{ran.outcome.message}\n{ran.errors}"
    return {probe.probe: probe for probe in assemble(folder / "audit" / "probe.json", contract, sealed)}


def planted(folder: Path, content: Any) -> tuple[Path, Contract, Sealed]:
    """A probe file of our own making beside an honest table."""
    columns = two_classes()
    contract = contract_for(columns, "answer")
    path = folder / "probe.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path, contract, sealed_scene(columns, contract, folder)


async def test_an_honest_table_raises_no_alarm(sandbox: Sandbox, tmp_path: Path) -> None:
    columns = two_classes(600)
    found = await probes(sandbox, columns, contract_for(columns, "answer"), tmp_path)
    assert {"shuffled target", "single column", "duplicates across the split", "sums and products"} <= set(found)
    assert all(probe.passed for probe in found.values()), found
    assert "“age”" in found["single column"].detail
    assert found["the audit itself"].detail.startswith(
        "The audit itself was tested: 3 of 3 planted leaks found, 0 false"
    )


@pytest.mark.parametrize("kind", ["number", "category"])
async def test_a_column_that_is_the_target_is_named(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    columns = two_classes(600)
    truth = np.array(columns["answer"]) == "yes"
    if kind == "number":
        columns["refund"] = np.where(truth, 10.0, 0.0) + np.random.default_rng(0).normal(0, 0.1, 600)
    else:
        columns["refund"] = np.where(truth, "paid", "none").tolist()
    found = await probes(sandbox, columns, contract_for(columns, "answer"), tmp_path)
    assert not found["single column"].passed
    assert found["single column"].detail.startswith("“refund”")
    assert "fail in use" in found["single column"].detail
    assert found["single column"].in_use.startswith("In use the model would have to do without “refund”")
    repair = found["single column"].repair
    assert repair is not None
    assert (repair.changes, repair.flag) == ({"exclude": ["refund"]}, "--drop refund")


async def test_a_near_copy_of_a_number_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    columns = numbers(600)
    columns["gross"] = columns["price"] * 1.19 + np.random.default_rng(0).normal(0, 100, 600)
    columns["size"] = columns["size"] + np.random.default_rng(1).normal(0, 40, 600)
    found = await probes(sandbox, columns, contract_for(columns, "price"), tmp_path)
    assert not found["single column"].passed
    assert "“gross”" in found["single column"].detail
    assert found["shuffled target"].passed


async def test_a_total_that_contains_the_target_and_noise_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    columns = numbers(600)
    generator = np.random.default_rng(0)
    columns["fees"] = generator.gamma(2.0, 60_000, 600)
    columns["total"] = columns["price"] + columns["fees"] + generator.normal(0, 5_000, 600)
    columns["size"] = columns["size"] + generator.normal(0, 60, 600)
    found = await probes(sandbox, columns, contract_for(columns, "price"), tmp_path)
    assert not found["sums and products"].passed
    assert "× “total”" in found["sums and products"].detail
    repair = found["sums and products"].repair
    assert repair is not None
    assert "total" in repair.changes["exclude"]


async def test_an_honest_trend_is_no_leak(sandbox: Sandbox, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    days = np.arange(500)
    columns = {
        "date": [date(2022, 1, 1) + timedelta(days=int(day)) for day in days],
        "visitors": generator.normal(300, 40, 500),
        "sales": 100 + 0.2 * days + generator.normal(0, 2, 7)[days % 7] + generator.normal(0, 1, 500),
    }
    contract = contract_for(columns, "sales", split=Split(rule="time", column="date"))
    found = await probes(sandbox, columns, contract, tmp_path)
    assert found["single column"].passed, found["single column"].detail
    assert found["sums and products"].passed, found["sums and products"].detail


async def test_several_classes_and_a_column_that_says_which(sandbox: Sandbox, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    kind = generator.choice(["a", "b", "c"], 400)
    columns = {"x": generator.normal(size=400), "code": [f"{k}1" for k in kind], "kind": kind.tolist()}
    found = await probes(sandbox, columns, contract_for(columns, "kind"), tmp_path)
    assert "“code”" in found["single column"].detail
    assert not found["single column"].passed
    assert found["shuffled target"].passed


def test_signal_in_a_shuffled_target_is_an_alarm(tmp_path: Path) -> None:
    path, contract, sealed = planted(tmp_path, {**HONEST, "shuffled": [0.8, 0.79, 0.81]})
    canary = assemble(path, contract, sealed)[0]
    assert not canary.passed
    assert "distrust the score" in canary.detail


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        {**HONEST, "metric": "<script>"},
        {**HONEST, "rows": -1},
        '{"metric": "roc_auc", "rows": 1, "real": NaN, "shuffled": [NaN], "single": {}}',
        {**HONEST, "shuffled": [0.5] * 1000},
        {**HONEST, "single": {"age": "high"}},
        "[" * 100_000,
    ],
)
def test_a_probe_file_that_is_not_one_counts_as_not_run(tmp_path: Path, content: Any) -> None:
    path, contract, sealed = planted(tmp_path, content)
    with pytest.raises(ValueError, match=r"probe\.json"):
        read_probe(path)
    found = assemble(path, contract, sealed)
    assert [probe.passed for probe in found[:2]] == [False, False]
    assert found[0].detail.startswith("Not run")


def test_no_probe_file_and_a_link_count_as_not_run(tmp_path: Path) -> None:
    path, contract, sealed = planted(tmp_path, HONEST)
    (tmp_path / "link.json").symlink_to(path)
    for other in (tmp_path / "nothing.json", tmp_path / "link.json"):
        assert not assemble(other, contract, sealed)[0].passed


def test_columns_that_the_contract_does_not_know_are_ignored(tmp_path: Path) -> None:
    path, contract, sealed = planted(tmp_path, {**HONEST, "single": {"<b>lie</b>": 1.0, "age": 0.7}})
    single = assemble(path, contract, sealed)[1]
    assert single.passed
    assert "lie" not in single.detail


def test_twins_across_the_split_are_counted_and_weighed(tmp_path: Path) -> None:
    """Half of the rows are there twice; a model that remembers them is told apart from one that does not."""
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.normal(size=300), generator.normal(size=300)])
    x[450:600] = x[300:450]
    answer = np.where(generator.random(600) < 0.5, "yes", "no")
    answer[450:600] = answer[300:450]
    columns = {"x": x, "gap": [None] * 600, "answer": answer.tolist()}
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, tmp_path)
    twins = duplicates_across_split(sealed.train, sealed.holdout_features)
    seen = set(pq.read_table(sealed.train)["x"].to_pylist())
    rest = pq.read_table(sealed.holdout_features)["x"].to_pylist()
    assert twins.rows.tolist() == [row for row, value in enumerate(rest) if value in seen]
    assert 0.1 < twins.share < 0.5

    path = tmp_path / "probe.json"
    path.write_text(json.dumps({**HONEST, "single": {"x": 0.7}}))
    assert not assemble(path, contract, sealed)[2].passed
    truth = np.array(pq.read_table(sealed.holdout_labels)["target"].to_pylist()) == "yes"
    memory = np.full(len(truth), 0.5) + 0.001 * generator.normal(size=len(truth))
    memory[twins.rows] = np.where(truth[twins.rows], 0.99, 0.01)
    for p, carried in ((memory, True), (np.where(truth, 0.8, 0.2) + 0.1 * generator.random(len(truth)), False)):
        made = write_predictions(
            tmp_path / "made.parquet",
            row=np.arange(len(p)),
            prediction=np.where(p > 0.5, "yes", "no").tolist(),
            p_0=1 - p,
            p_1=p,
        )
        result = score(sealed.holdout_labels, made, contract, baselines={"dummy": made})
        probe = assemble(path, contract, sealed, predictions=made, score=result)[2]
        assert not probe.passed
        assert ("memory" in probe.detail) is carried
        assert ("copies, the target included" in probe.detail) is not carried


def test_odd_column_names_do_not_break_the_search_for_twins(tmp_path: Path) -> None:
    columns = {'a"b': list(range(40)), "select; drop": list(range(40)), "y": ["p", "q"] * 20}
    sealed = sealed_scene(columns, contract_for(columns, "y"), tmp_path)
    assert len(duplicates_across_split(sealed.train, sealed.holdout_features).rows) == 0


def test_a_split_by_time_shows_its_dates(tmp_path: Path) -> None:
    columns = {**two_classes(), "day": list(range(300))}
    contract = contract_for(columns, "answer", split=Split(rule="time", column="day"))
    sealed = sealed_scene(columns, contract, tmp_path)
    path = tmp_path / "probe.json"
    path.write_text(json.dumps(HONEST))
    order = assemble(path, contract, sealed)[-1]
    assert (order.probe, order.passed) == ("time order", True)
    assert order.detail == "Training ends with 239, the sealed rows begin with 240."


def test_parts_that_overlap_in_time_are_an_alarm(tmp_path: Path) -> None:
    columns = {**two_classes(), "day": list(range(300))}
    contract = contract_for(columns, "answer", split=Split(rule="time", column="day"))
    sealed = sealed_scene(columns, contract, tmp_path)
    train = pq.read_table(sealed.train)
    late = train.set_column(train.column_names.index("day"), "day", [[value + 5 for value in train["day"].to_pylist()]])
    pq.write_table(late, sealed.train)
    path = tmp_path / "probe.json"
    path.write_text(json.dumps(HONEST))
    order = assemble(path, contract, sealed)[-1]
    assert (order.probe, order.passed) == ("time order", False)
    assert order.detail.endswith("They overlap, so the future leaks.")


def test_equal_rows_with_other_targets_are_no_copies(tmp_path: Path) -> None:
    """A table of two small columns: rows are equal by chance, and what they are asked for differs."""
    generator = np.random.default_rng(0)
    colour, size = generator.choice(["red", "blue"], 400).tolist(), generator.integers(0, 3, 400)
    columns = {"colour": colour, "size": size, "answer": generator.choice(["yes", "no"], 400).tolist()}
    contract = contract_for(columns, "answer")
    sealed = sealed_scene(columns, contract, tmp_path)
    rows = len(pq.read_table(sealed.holdout_labels))
    p = 0.5 + 0.1 * generator.random(rows)
    made = write_predictions(
        tmp_path / "made.parquet", row=np.arange(rows), prediction=["yes"] * rows, p_0=1 - p, p_1=p
    )
    result = score(sealed.holdout_labels, made, contract, baselines={"dummy": made})
    path = tmp_path / "probe.json"
    path.write_text(json.dumps({**HONEST, "single": {"size": 0.5}}))
    twins = assemble(path, contract, sealed, predictions=made, score=result)[2]
    assert (twins.probe, twins.passed) == ("duplicates across the split", True)
    assert twins.evidence["share"] == 1.0
