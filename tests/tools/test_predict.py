"""Predict with a model folder: the real sandbox loads the model, the rows come back with what stands beside them."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tools.result_scene import Result
from tools.conformal import conformal, conformal_text
from tools.contract import Contract
from tools.ingest import Dataset, ingest
from tools.model_folder import ModelSchema, predict_program, schema_text
from tools.predict import ColumnsMissing, PredictError, check_output, find_model, fit, open_model, prepare
from tools.predict_rows import Predicted, Wishes, account, predict_rows, predict_table, rows_of, summary
from tools.predictions import Predictions
from tools.reference import reference_text
from tools.worker import Workers

Ask = Callable[[pa.Table | Sequence[Mapping[str, Any]]], Awaitable[Predictions]]


@pytest.fixture
def folder(result: Result, tmp_path: Path) -> Path:
    """A delivered model folder."""
    return delivered(result, tmp_path / "delivered" / "model")


def delivered(result: Result, model: Path) -> Path:
    """What `export` leaves, as far as predicting needs it."""
    model.mkdir(parents=True)
    shutil.copy(result.model, model)
    predictions = result.model.parents[2] / "score" / "predictions.parquet"
    held = conformal(result.sealed.holdout_labels, predictions, result.sealed.train, result.contract)
    assert held is not None
    texts = {
        "train.py": result.script,
        "schema.json": schema_text(result.contract, result.report),
        "reference.json": reference_text(result.sealed.train, result.contract),
        "conformal.json": conformal_text(held),
        "predict.py": predict_program(result.contract),
    }
    for name, text in texts.items():
        (model / name).write_text(text, encoding="utf-8")
    return model


def table(tmp_path: Path, text: str, name: str = "table.csv") -> Dataset:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return ingest(tmp_path / name, tmp_path / "data")


def some_rows(result: Result, tmp_path: Path, **added: str) -> Dataset:
    """Three rows with the columns of the model in another order, and more columns."""
    names = list(reversed(result.contract.features))
    lines = [",".join([*added, *names])]
    lines += [",".join([*added.values(), *(str(10.5 + row) for _ in names)]) for row in range(3)]
    return table(tmp_path, "\n".join(lines) + "\n")


def of(workers: Workers, folder: Path, contract: Contract) -> Ask:
    return lambda rows: workers.predict(folder, contract, rows)


ANSWERED = Predictions(np.array([0.0, 0.0, 1.0]), np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]]))
"""Of three rows; the first class is “benign”."""


async def answered(_: pa.Table | Sequence[Mapping[str, Any]]) -> Predictions:
    """A model that needs no sandbox."""
    return ANSWERED


async def counting(rows: pa.Table | Sequence[Mapping[str, Any]]) -> Predictions:
    """Another one, for any number of rows."""
    half = np.full(len(rows), 0.5)
    return Predictions(np.zeros(len(rows)), np.column_stack([half, half]))


async def test_the_delivered_model_predicts_the_sealed_rows_to_the_same_score(
    result: Result, folder: Path, tmp_path: Path, workers: Workers
) -> None:
    dataset = ingest(result.sealed.holdout_features, tmp_path / "data")
    ready = prepare(folder.parent, dataset)
    done = await predict_table(ready, of(workers, folder, result.contract), tmp_path / "answer.csv", Wishes())
    with (tmp_path / "answer.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert done.rows == dataset.rows == len(rows)
    labels = pq.read_table(result.sealed.holdout_labels).sort_by("row").column("target").to_pylist()
    right = sum(row["prediction"] == label for row, label in zip(rows, labels, strict=True)) / len(rows)
    counts = result.curves.confusion
    assert counts is not None
    assert right == pytest.approx(sum(line[i] for i, line in enumerate(counts.counts)) / len(rows))
    assert float(rows[0]["p_benign"]) + float(rows[0]["p_malignant"]) == pytest.approx(1)
    assert ready.fit.notes == ()
    held = [label in row["set"].split(" | ") for row, label in zip(rows, labels, strict=True)]
    assert sum(held) / len(held) >= 0.9  # they were calibrated on these very rows
    assert all(row["prediction"] in row["set"].split(" | ") for row in rows)


async def test_the_program_that_people_take_home_says_the_same(
    result: Result, folder: Path, tmp_path: Path, workers: Workers
) -> None:
    frame = pq.read_table(result.sealed.holdout_features).to_pandas().head(40)
    frame.loc[0, "mean radius"] = 1e6
    frame.loc[1, :] = None
    text = frame.to_csv(index=False).replace("\n", "\nmuch" + "," * (frame.shape[1] - 1) + "\n", 1)
    dataset = table(tmp_path, text)
    ready = prepare(folder, dataset)
    await predict_table(ready, of(workers, folder, result.contract), tmp_path / "ours.parquet", Wishes(0.95))
    places = [folder / "predict.py", tmp_path / "table.csv", tmp_path / "home.parquet"]
    command = [sys.executable, *map(str, places), "--level", "0.95"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours, home = pq.read_table(tmp_path / "ours.parquet"), pq.read_table(tmp_path / "home.parquet")
    assert home.column_names == ours.column_names
    for name in ("prediction", "p_benign", "p_malignant", "set", "warnings"):
        assert ours[name].to_pylist() == home[name].to_pylist()
    said = home["warnings"].to_pylist()
    gaps = [f"{name} is missing, which it never was in training" for name in result.contract.features[1:5]]
    assert said[0] == "; ".join(["mean radius much is no number, so it counts as missing", *gaps, "and 1 more"])
    assert said[1].startswith("mean radius 1000000.0 is above what training had (up to ")
    assert said[2].startswith("no value in any column that the model uses")
    assert "3 of 41 rows are unlike those of training" in done.stdout
    strict = subprocess.run([*command, "--strict"], capture_output=True, text=True)
    assert strict.returncode == 1
    words = "Nothing was predicted because of --strict. The first is row 1: mean radius much is no number"
    assert words in strict.stderr


EACH = """
import contextlib, io, json, runpy, sys
said = []
place, calls = sys.argv[1], json.loads(sys.argv[2])
for words in calls:
    sys.argv, code = [place, *words], 0
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(place, run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    said.append(code)
print(json.dumps(said))
"""
"""Several calls in one process, because the imports take longest; zero, or the sentence with which each ended."""


def at_home(folder: Path, *calls: tuple[Path, Path]) -> list[int | str]:
    words = json.dumps([[str(word) for word in call] for call in calls])
    command = [sys.executable, "-c", EACH, str(folder / "predict.py"), words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    found: list[int | str] = json.loads(done.stdout)
    return found


def test_at_home_the_table_comes_back_to_the_letter_with_what_was_found(
    result: Result, folder: Path, tmp_path: Path
) -> None:
    names = result.contract.features
    header, row = ["code", "prediction", *names], ["007", "mine", *["12.50"] * (len(names) - 1), ""]
    (tmp_path / "t.tsv").write_text("\t".join(header) + "\n" + "\t".join(row) + "\n", encoding="utf-8")
    calls = [(tmp_path / "t.tsv", tmp_path / "out.tsv")]
    for kind in (".json", ".jsonl", ".parquet"):
        calls += [(tmp_path / "t.tsv", tmp_path / f"a{kind}"), (tmp_path / f"a{kind}", tmp_path / f"b{kind}")]
    assert at_home(folder, *calls) == [0] * 7
    first, second = [line.split("\t") for line in (tmp_path / "out.tsv").read_text("utf-8").splitlines()]
    assert second[: len(row)] == row
    assert first == [*header, "prediction (2)", "p_benign", "p_malignant", "set", "warnings"]
    assert pq.read_table(tmp_path / "b.parquet")["code"].to_pylist() == ["007"]
    once, twice = (json.loads((tmp_path / name).read_text("utf-8")) for name in ("a.json", "b.jsonl"))
    assert twice["prediction (3)"] == once[0]["prediction (2)"]


def test_at_home_what_cannot_be_done_is_one_sentence(result: Result, folder: Path, tmp_path: Path) -> None:
    names = list(result.contract.features)
    good = ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n"
    texts = {
        "good.csv": good,
        "renamed.csv": good.replace(names[0], names[0].title()),
        "other.csv": "a,b\n1,2\n",
        "empty.csv": good.splitlines()[0] + "\n",
        "broken.json": "{",
        "table.xlsx": good,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    wanted = (
        ("nosuch.csv", "o.csv", "There is no file"),
        ("table.xlsx", "o.csv", "“table.xlsx” should end in one of .csv, .tsv, .parquet, .json, .jsonl"),
        ("good.csv", "o.xlsx", "“o.xlsx” should end in one of"),
        ("good.csv", "no/such/o.csv", "cannot be written"),
        ("renamed.csv", "o.csv", f"(is “{names[0].title()}” meant to be “{names[0]}”?)"),
        ("other.csv", "o.csv", "has none of the columns"),
        ("empty.csv", "o.csv", "has no rows"),
        ("broken.json", "o.csv", "cannot be read as .json"),
    )
    said = at_home(folder, *((tmp_path / name, tmp_path / out) for name, out, _ in wanted))
    for sentence, (*_, words) in zip(said, wanted, strict=True):
        assert words in str(sentence)
        assert "\n" not in str(sentence)
    assert not list(tmp_path.glob("o.*"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".xlsx", ".json", ".ndjson"])
async def test_every_kind_of_file_holds_rows_and_predictions(
    suffix: str, result: Result, folder: Path, tmp_path: Path
) -> None:
    ready = prepare(folder, some_rows(result, tmp_path, code="007", note="=1+1"))
    out = tmp_path / "new folder" / f"answer{suffix}"
    done = await predict_table(ready, answered, out, Wishes())
    assert done.rows == 3
    assert done.classes == {"benign": 2, "malignant": 1}
    assert done.columns == ("prediction", "p_benign", "p_malignant", "set", "warnings")
    found = ingest(out, tmp_path / "back")
    rows = found.head(3)
    assert [row["prediction"] for row in rows] == ["benign", "benign", "malignant"]
    assert [row["p_benign"] for row in rows] == [0.6, 0.9, 0.2]
    assert [row["code"] for row in rows] == ["007"] * 3
    assert [row["note"] for row in rows] == ["=1+1"] * 3
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
async def test_a_long_table_is_predicted_in_parts_and_written_as_it_comes(
    suffix: str, result: Result, folder: Path, tmp_path: Path
) -> None:
    rows = 25_003
    columns = {name: np.linspace(10, 11, rows) for name in result.contract.features}
    pq.write_table(pa.table({"number": np.arange(rows), **columns}), tmp_path / "long.parquet")
    asked: list[int] = []

    async def seen(part: pa.Table | Sequence[Mapping[str, Any]]) -> Predictions:
        asked.append(len(part))
        return await counting(part)

    ready = prepare(folder, ingest(tmp_path / "long.parquet", tmp_path / "data"))
    out = tmp_path / f"answer{suffix}"
    done = await predict_table(ready, seen, out, Wishes())
    assert max(asked) <= 10_000
    assert (sum(asked), done.rows, len(done.first)) == (rows, rows, 20)
    back = ingest(out, tmp_path / "back")
    assert pq.read_table(back.path)["number"].to_pylist() == list(range(rows))


async def test_a_model_that_breaks_down_half_way_leaves_no_file(result: Result, folder: Path, tmp_path: Path) -> None:
    async def breaking(_: pa.Table | Sequence[Mapping[str, Any]]) -> Predictions:
        raise RuntimeError("gone")

    ready = prepare(folder, some_rows(result, tmp_path))
    for suffix in (".csv", ".parquet", ".xlsx", ".json"):
        with pytest.raises(RuntimeError, match="gone"):
            await predict_table(ready, breaking, tmp_path / "out" / f"a{suffix}", Wishes())
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_table_with_its_own_prediction_column_keeps_it(result: Result, folder: Path, tmp_path: Path) -> None:
    ready = prepare(folder, some_rows(result, tmp_path, prediction="old", warnings="mine"))
    await predict_table(ready, answered, tmp_path / "a.parquet", Wishes())
    names = pq.read_schema(tmp_path / "a.parquet").names
    assert names.count("prediction") == names.count("warnings") == 1
    assert {"prediction (2)", "warnings (2)"} <= set(names)


async def test_strict_stops_before_the_model_is_asked(result: Result, folder: Path, tmp_path: Path) -> None:
    names = list(result.contract.features)
    good = pq.read_table(result.sealed.train).select(names).slice(0, 3).to_pandas().to_csv(index=False)
    fine = prepare(folder, table(tmp_path, good, "fine.csv"))
    assert (await predict_table(fine, answered, tmp_path / "fine-out.csv", Wishes(strict=True))).unusual.flagged == 0
    odd = table(tmp_path, good + ",".join(["9999"] * len(names)) + "\n", "odd.csv")

    async def never(_: pa.Table | Sequence[Mapping[str, Any]]) -> Predictions:
        raise AssertionError

    with pytest.raises(PredictError, match=r"1 of 4 rows are unlike those of training: 'mean .*row 4: '9999'"):
        await predict_table(prepare(folder, odd), never, tmp_path / "odd-out.csv", Wishes(strict=True))
    assert not (tmp_path / "odd-out.csv").exists()


async def test_a_missing_column_is_filled_on_request_and_its_weight_is_told(
    result: Result, folder: Path, tmp_path: Path, workers: Workers
) -> None:
    first, *names = result.contract.features
    dataset = table(tmp_path, ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    ready = prepare(folder, dataset, fill_missing=True)
    assert ready.fit.filled == (first,)
    said = f"'{first}' is not in the table and counts as missing in every row; "
    assert ready.fit.notes[0].startswith(f"{said}shuffling it makes"), "one column was measured: it has no rank"
    every = ModelSchema.of(result.contract, result.report)
    known = tuple(one.model_copy(update={"importance": one.importance or 0.01}) for one in every.features)
    shutil.copytree(folder, tmp_path / "all")
    (tmp_path / "all" / "schema.json").write_text(every.model_copy(update={"features": known}).model_dump_json())
    ranked = prepare(tmp_path / "all", dataset, fill_missing=True).fit.notes[0]
    assert ranked.startswith(f"{said}it is the most important column")
    done = await predict_table(ready, of(workers, folder, result.contract), tmp_path / "a.csv", Wishes())
    assert done.rows == 1
    other = table(tmp_path, "a,b\n1,2\n", "other.csv")
    with pytest.raises(PredictError, match="other.csv has none of the columns that the model needs"):
        prepare(folder, other, fill_missing=True)


def test_a_column_of_a_similar_name_is_asked_about(folder: Path, result: Result, tmp_path: Path) -> None:
    model = open_model(folder)
    first, second, *names = model.needed
    with pytest.raises(ColumnsMissing, match=f"is 'mean rdaus' meant to be '{first}'"):
        fit(model, ["mean rdaus", second, *names], "new.csv", fill_missing=False)
    with pytest.raises(ColumnsMissing, match=f"'{first}' that the model needs; add"):
        fit(model, ["x", second, *names], "new.csv", fill_missing=False)


async def test_rows_come_as_json(result: Result, folder: Path, workers: Workers) -> None:
    model = open_model(folder)
    row = dict.fromkeys(result.contract.features, 12) | {"note": "ü", "mean radius": "much"}
    rows = rows_of(json.dumps(row))
    done, notes = await predict_rows(model, rows, of(workers, folder, result.contract), Wishes())
    assert notes == ("The model does not use 'note'.",)
    assert done.first[0]["prediction"] in result.contract.classes
    assert done.first[0]["warnings"].startswith("mean radius much is no number, so it counts as missing")
    with pytest.raises(ColumnsMissing, match="The row lacks the columns"):
        await predict_rows(model, rows_of('{"mean radius": 1}'), answered, Wishes())
    odd = rows_of(json.dumps([row | {"mean area": value} for value in (10**40, "x", {"a": [1]})]))
    done, _ = await predict_rows(model, odd, counting, Wishes())
    assert done.rows == 3
    many = rows_of(json.dumps([row] * 30))
    assert len((await predict_rows(model, many, counting, Wishes()))[0].first) == 30


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": "\\ud800"}', "no JSON"),
        ("[]", "an object with a value for each column"),
        ("7", "an object with a value for each column"),
        ("[{}]", "an object with a value for each column"),
        ("[" + ",".join(['{"a": 1}'] * 10_001) + "]", "10,001 rows are too many"),
    ],
)
def test_rows_that_are_no_rows_are_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PredictError, match=sentence):
        rows_of(text)


def test_what_is_said_afterwards_counts_and_promises(folder: Path) -> None:
    model = open_model(folder)
    done = Predicted(rows=100, columns=("prediction",), breadth=120.0)
    (said,) = account(model, done, 0.9)
    assert said.startswith("The sets hold 1.20 classes on average. Of new rows like the 113 sealed ones, the set holds")
    found = summary(model, done, 0.9)
    assert json.loads(json.dumps(found)) == found
    assert found["interval"]["mean_classes"] == 1.2
    assert found["interval"]["holds"][0] < 0.9 < found["interval"]["holds"][1]


def test_missing_columns_are_named_and_a_near_miss_is_asked_about(result: Result, folder: Path, tmp_path: Path) -> None:
    names = [name for name in result.contract.features if name != "mean texture"]
    dataset = table(tmp_path, ",".join([*names, "Mean Texture"]) + "\n" + ",".join(["1"] * 6) + "\n")
    with pytest.raises(PredictError, match=r"lacks the column 'mean texture'.*is 'Mean Texture' meant to be"):
        prepare(folder, dataset)


def test_extra_columns_and_odd_types_are_notes(result: Result, folder: Path, tmp_path: Path) -> None:
    names = list(result.contract.features)
    dataset = table(tmp_path, ",".join([*names, "city"]) + "\n" + ",".join(["much", *["1"] * 5, "Oslo"]) + "\n")
    ready = prepare(folder, dataset)
    assert ready.fit.extra == ("city",)
    assert ready.fit.notes == ("The model does not use 'city'.",)  # the value is told with its row
    (folder / "reference.json").unlink()
    assert "'mean radius' should hold numbers; what is none counts as missing." in prepare(folder, dataset).fit.notes


def test_a_folder_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PredictError, match="no model folder"):
        find_model(tmp_path / "nowhere")
    with pytest.raises(PredictError, match=r"holds no model\.joblib and schema\.json"):
        find_model(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"task": "binary"}', "\x00", "[" * 100_000])
@pytest.mark.parametrize("name", ["schema.json", "conformal.json", "reference.json"])
def test_a_damaged_file_is_a_sentence(name: str, content: str, folder: Path, result: Result, tmp_path: Path) -> None:
    (folder / name).write_text(content)
    with pytest.raises(PredictError, match=f"{name} of the model is damaged"):
        prepare(folder, some_rows(result, tmp_path))


def test_the_output_must_be_a_kind_of_file_that_we_write(tmp_path: Path) -> None:
    with pytest.raises(PredictError, match=r"should end in one of \.csv"):
        check_output(tmp_path / "answer.docx")
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(PredictError, match="is a folder"):
        check_output(tmp_path / "x.csv")


def test_the_schema_gives_back_what_prediction_needs(result: Result, folder: Path) -> None:
    found = json.loads((folder / "schema.json").read_text())
    assert [feature["name"] for feature in found["features"]] == list(result.contract.features)
    assert found["classes"] == ["benign", "malignant"]
