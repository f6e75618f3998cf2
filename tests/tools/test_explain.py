"""Explanations of a model whose reasons are known: they add up, keep to their time, and say what cannot be told."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.tools.explain_scene import Scene
from tools.explaining.asking import ExplainError, assembled, piled
from tools.explaining.background import background_of, read_background, write_background
from tools.explaining.change import WhatIf, what_if
from tools.explaining.charts import what_if_chart
from tools.explaining.column import dependence
from tools.explaining.explanation import Query, explained
from tools.explaining.model import overview
from tools.explaining.row import Why, why_row
from tools.predictions import Predictions


async def why(scene: Scene, row: pa.Table, seconds: float = 60.0) -> Why:
    return (await why_row(scene.model(seconds), row, scene.background))[0]


async def changes(scene: Scene, row: pa.Table, may: Sequence[str] = (), wanted: str | None = None) -> WhatIf:
    found = await what_if(scene.model(), row, scene.background, may, wanted)
    for one in found.alternatives:  # each of them, asked again, is what it says
        changed = {change.column: _typed(scene, change.column, change.after) for change in one.changes}
        said = scene.said(_with(row, changed))
        label = scene.contract.classes[int(said.values[0])] if scene.contract.classes else None
        assert label is None or label == one.answer
    return found


def _typed(scene: Scene, column: str, text: str) -> Any:
    kind = scene.rows.column(column).type
    return text if pa.types.is_string(kind) else int(text) if pa.types.is_integer(kind) else float(text)


def _with(row: pa.Table, changed: dict[str, Any]) -> pa.Table:
    for name, value in changed.items():
        place = row.column_names.index(name)
        row = row.set_column(place, name, pa.array([value], row.column(name).type))
    return row


async def test_a_number_is_taken_apart_exactly_when_the_model_is_additive() -> None:
    scene = Scene("regression")
    found = await why(scene, scene.row(größe=70.0, plan="month", visits=0))
    parts = {part.column: part for part in found.contributions}
    sizes = scene.background.rows.column("größe").to_numpy()
    assert parts["größe"].contribution == pytest.approx(100 * (70 - sizes.mean()), rel=1e-9)
    assert [part.column for part in found.contributions[:3]] == ["größe", "visits", "plan"]
    assert all(parts[name].contribution == 0 for name in ("since", "remark", "gaps", "age"))
    assert found.base + sum(part.contribution for part in found.contributions) == pytest.approx(found.value, rel=1e-12)
    assert (parts["größe"].value, parts["visits"].value) == ("70", "0")


@pytest.mark.parametrize(("task", "of"), [("binary", "“yes”"), ("multiclass", "“c”")])
async def test_a_chance_is_that_of_the_positive_class_or_of_the_predicted_one(task: str, of: str) -> None:
    scene = Scene(task)
    row = scene.row(größe=20.0, plan="year", visits=19)
    found = await why(scene, row)
    said = scene.said(row)
    assert of in found.of
    assert found.value == pytest.approx(float(said.probabilities[0, scene.contract.classes.index(of[1:-1])]))  # type: ignore[index]
    assert found.base + sum(part.contribution for part in found.contributions) == pytest.approx(found.value)


async def test_a_model_without_chances_is_explained_by_its_answers() -> None:
    scene = Scene()
    honest = scene.said
    scene.said = lambda table: Predictions(honest(table).values, None)  # type: ignore[method-assign]
    found = await why(scene, scene.row(größe=90.0))
    assert "answer “yes”" in found.of
    assert found.value == 1.0
    assert 0 < found.base < 1


async def test_no_label_is_ever_asked_about_and_every_value_is_one_that_occurred() -> None:
    scene = Scene()
    await explained(scene.model(), Query("model"), None, scene.rows, scene.background)
    await changes(scene, scene.row())
    known = {name: set(scene.rows.column(name).to_pylist()) for name in ("plan", "remark", "since")}
    for table in scene.asked:
        assert table.column_names == list(scene.contract.features)
        assert all(set(table.column(name).to_pylist()) <= known[name] for name in known)


async def test_little_time_gives_fewer_walks_and_says_so() -> None:
    scene = Scene("regression", seconds=10.0)
    found = await why(scene, scene.row(), seconds=0.5)
    assert found.pairs == 10
    assert "rough" in found.note
    slow = Scene("regression", seconds=10.0)
    summary, _ = await overview(slow.model(20.0), slow.rows, slow.background)
    assert summary.rows < 200
    assert f"{summary.rows} of 300 rows" in summary.note
    assert slow.now < 2 * 20


async def test_a_row_with_gaps_and_other_types_than_training() -> None:
    scene = Scene("regression")
    one = pa.table({name: pa.nulls(1) for name in scene.contract.features})
    one = one.set_column(0, "größe", pa.array([60.0])).set_column(1, "plan", pa.array(["year"]))
    one = one.set_column(2, "visits", pa.array([3.0]))
    found = await why(scene, one)
    assert {part.column: part.value for part in found.contributions}["gaps"] == "missing"
    mixed = piled([scene.rows.slice(0, 2), one], scene.contract)
    assert mixed.column("visits").type == pa.float64()
    assert assembled(mixed, np.full((1, 7), 2)).column("since").to_pylist() == [None]


async def test_an_answer_that_is_no_number_is_refused() -> None:
    scene = Scene("regression", score=lambda row: row["größe"].to_numpy() * np.inf)
    with pytest.raises(ExplainError, match="finite"):
        await why(scene, scene.row())


async def test_the_overview_ranks_the_columns_and_knows_their_way() -> None:
    scene = Scene()
    summary, detail = await overview(scene.model(), scene.rows, scene.background)
    assert {one.column for one in summary.columns[:3]} == {"visits", "größe", "plan"}
    by_name = {one.column: one for one in summary.columns}
    assert (by_name["größe"].direction or 0) > 0.9
    assert (by_name["visits"].direction or 0) < -0.9
    assert by_name["plan"].direction is None
    assert by_name["remark"].mean == 0.0
    assert all(one.ci_low <= one.mean <= one.ci_high for one in summary.columns)
    np.testing.assert_allclose(detail.base + detail.contributions.sum(axis=1), detail.prediction)
    assert f"“{summary.columns[0].column}”" in summary.sentence


async def test_an_overview_that_took_longer_than_it_had_ends_and_lets_others_have_their_turn() -> None:
    scene = Scene(seconds=50.0)
    found, _ = await asyncio.wait_for(overview(scene.model(1), scene.rows, scene.background), 20)
    assert (len(scene.asked), found.rows) == (1, 10), "one question, which took longer than there was time"
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    pile = piled([scene.rows], scene.contract)
    await scene.model().said(pile, np.empty((0, len(scene.contract.features)), dtype=np.int64))
    assert turns, "a question about no row lets others have their turn as well"


async def test_influence_of_a_number_a_category_and_a_date() -> None:
    scene = Scene()
    size = await dependence(scene.model(), "größe", scene.rows, scene.background)
    means = [point.mean for point in size.points]
    assert means == sorted(means)
    assert all(point.ci_low <= point.mean <= point.ci_high for point in size.points)
    assert "rises" in size.sentence
    plan = await dependence(scene.model(), "plan", scene.rows, scene.background)
    assert {point.value for point in plan.points} == {"month", "year"}
    assert "highest where “plan” is “month”" in plan.sentence
    since = await dependence(scene.model(), "since", scene.rows, scene.background)
    assert "hardly moves" in since.sentence
    assert since.kind == "date"


@pytest.mark.parametrize(
    ("column", "words"), [("remark", "free text"), ("size", "does not use “size”"), ("answer", "does not use")]
)
async def test_what_has_no_influence_to_draw_is_said(column: str, words: str) -> None:
    scene = Scene()
    with pytest.raises(ExplainError, match=words):
        await dependence(scene.model(), column, scene.rows, scene.background)


async def test_a_column_with_one_value_cannot_be_varied() -> None:
    scene = Scene()
    flat = scene.rows.set_column(1, "plan", pa.array(["year"] * len(scene.rows)))
    with pytest.raises(ExplainError, match="fewer than two values"):
        await dependence(scene.model(), "plan", flat, background_of(flat, scene.contract))


async def test_the_fewest_changes_come_first_and_numbers_move_as_little_as_they_must() -> None:
    scene = Scene()
    found = await changes(scene, scene.row(größe=47.0, plan="month", visits=12))
    assert found.answer == "yes"
    assert len(found.alternatives) >= 3
    assert [len(one.changes) for one in found.alternatives] == sorted(len(one.changes) for one in found.alternatives)
    assert len({tuple(change.column for change in one.changes) for one in found.alternatives}) == len(
        found.alternatives
    )
    singles = {one.changes[0].column: one.changes[0].after for one in found.alternatives if len(one.changes) == 1}
    assert singles["plan"] == "year"
    assert int(singles["visits"]) == 19  # below zero from there on: 0.1 * (47 - 50) + 2 - 0.2 * (visits - 10)
    assert 32.5 <= float(singles["größe"]) <= 34  # the nearest of the values tried, not the one it was found with
    assert "“no”" in found.sentence
    assert "age" not in found.may_change
    assert "“age”" in found.note


async def test_only_what_may_change_changes_and_where_nothing_helps_it_is_said() -> None:
    scene = Scene()
    row = scene.row(größe=50.0, plan="month", visits=12)
    only = await changes(scene, row, ["visits", "größe"])
    assert {change.column for one in only.alternatives for change in one.changes} <= {"visits", "größe"}
    none = await changes(scene, row, ["since", "age"])
    assert none.alternatives == ()
    assert "no change of at most 2 of the 2 columns that may change" in none.sentence
    assert none.asked > 0
    assert "no change of the one column that may change" in (await changes(scene, row, ["age"])).sentence


async def test_chances_are_told_in_percent_and_which_class_is_the_likeliest() -> None:
    scene = Scene("multiclass")
    row = scene.row(größe=20.0, plan="year", visits=19)
    found = await changes(scene, row)
    first = found.alternatives[0]
    assert found.sentence.endswith(f"; “{first.answer}” is now the likeliest.")
    chart = what_if_chart(found)
    assert chart is not None
    assert f"{first.value:.1%} ({first.answer})" in json.dumps(chart.spec)
    two = await changes(Scene(), Scene().row(größe=70.0, plan="month", visits=0))
    assert "likeliest" not in two.sentence


async def test_two_changes_are_found_where_one_is_not_enough() -> None:
    scene = Scene()
    found = await changes(scene, scene.row(größe=60.0, plan="month", visits=0), ["plan", "visits"])
    assert {change.column for change in found.alternatives[0].changes} == {"plan", "visits"}


@pytest.mark.parametrize(
    ("may", "wanted", "words"),
    [
        (["nonsense"], None, "does not use “nonsense”"),
        (["remark"], None, "free text"),
        ([], "maybe", "no class “maybe”"),
        ([], "YES", "already"),
    ],
)
async def test_what_cannot_be_wanted_is_said(may: list[str], wanted: str | None, words: str) -> None:
    scene = Scene()
    with pytest.raises(ExplainError, match=words):
        await changes(scene, scene.row(größe=70.0, plan="month", visits=0), may, wanted)


async def test_a_number_to_reach_and_another_class() -> None:
    scene = Scene("regression")
    row = scene.row(größe=50.0, plan="year", visits=10)
    up = await changes(scene, row, wanted="1,500")
    assert "at least 1,500" in up.wanted
    assert all(one.value >= 1500 for one in up.alternatives)
    assert up.alternatives
    either = await changes(scene, row)
    assert either.alternatives
    with pytest.raises(ExplainError, match="no number"):
        await changes(scene, row, wanted="cheap")
    three = Scene("multiclass")
    other = await changes(three, three.row(größe=20.0, plan="year", visits=19))
    assert all(one.answer != "c" for one in other.alternatives)
    assert other.alternatives


@pytest.mark.parametrize(
    "query", [Query("model"), Query("row", 1), Query("change", 1), Query("column", column="visits")]
)
async def test_each_answer_has_words_data_a_chart_and_a_table(query: Query) -> None:
    scene = Scene()
    found = await explained(scene.model(), query, scene.row(plan="month", größe=50.0), scene.rows, scene.background)
    assert "not what causes what" in found.text
    assert found.charts
    assert found.tables
    assert json.dumps(found.facts, allow_nan=False)
    again = await explained(scene.model(), query, scene.row(plan="month", größe=50.0), scene.rows, scene.background)
    assert (again.text, again.facts) == (found.text, found.facts)


async def test_a_question_without_its_row_or_column() -> None:
    scene = Scene()
    for query in (Query("row"), Query("change"), Query("column")):
        with pytest.raises(ExplainError, match="Say which"):
            await explained(scene.model(), query, None, scene.rows, scene.background)


def test_the_sample_beside_the_model_is_small_has_no_answer_and_can_be_left_out(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    scene = Scene()
    train = tmp_path / "train.parquet"
    pq.write_table(scene.rows.append_column("answer", pa.array(["yes"] * len(scene.rows))), train)
    path = tmp_path / "background.parquet"
    write_background(train, scene.contract, path)
    kept = pq.read_table(path)
    assert (len(kept), kept.column_names) == (200, list(scene.contract.features))
    assert read_background(path, scene.contract).source == "200 training rows kept beside the model"
    none = tmp_path / "none.parquet"
    write_background(train, scene.contract.model_copy(update={"sample_rows": 0}), none)
    assert not none.exists()
    path.write_bytes(b"nonsense")
    with pytest.raises(ExplainError, match="damaged"):
        read_background(path, scene.contract)
    with pytest.raises(ExplainError, match="only 3"):
        background_of(scene.rows.slice(0, 3), scene.contract)
