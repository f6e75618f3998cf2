"""What comes out of the sandbox is a line of JSON and numbers; whatever else it is, it is refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, two_classes
from tools.answers import ModelFailed, joined, most_bytes, read_answer, table_of
from tools.predictions import Predictions, PredictionsRefused, read_predictions, write_predictions

CLASSES = contract_for(two_classes(), "answer")
NUMBERS = contract_for(numbers(), "price")
HONEST = [[0.0, 0.9, 0.1], [1.0, 0.2, 0.8]]


def answer(rows: Any = HONEST, **head: Any) -> bytes:
    matrix = np.array(rows, "<f8")
    return json.dumps({"columns": matrix.shape[1], **head}).encode() + b"\n" + matrix.tobytes()


def test_an_honest_answer_is_read() -> None:
    found = read_answer(answer(), CLASSES, 2)
    assert found.values.tolist() == [0, 1]
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0.9, 0.1], [0.2, 0.8]]
    assert read_answer(answer([[0.0], [1.0]]), CLASSES, 2).probabilities is None
    assert read_answer(answer([[1.5], [-2.0]]), NUMBERS, 2).values.tolist() == [1.5, -2.0]
    assert len(answer()) < most_bytes(2, CLASSES)


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (b"", "not what our program writes"),
        (b"\n", "not what our program writes"),
        (b"\x80\x04\x95cos\nsystem\n", "not what our program writes"),
        (b"[" * 10_000 + b"\n", "not what our program writes"),
        (b'{"columns": true}\n', "not what our program writes"),
        (b'{"columns": 1e9}\n', "not what our program writes"),
        (b'{"columns": -1}\n', "not what our program writes"),
        (b"9" * 10_000 + b"\n", "not what our program writes"),
        (b'{"columns": "1"}\n', "not what our program writes"),
        (b'{"columns": 1, "unknown": 5}\n', "not what our program writes"),
        (b"x" * 20_000 + b"\n", "not what our program writes"),
        (b'{"columns": 3}\n', "not the size of predictions for 2 rows"),
        (answer()[:-1], "not the size"),
        (answer() + b"\0", "not the size"),
        (answer(HONEST[:1]), "not the size"),
        (b'{"columns": 2}\n' + bytes(32), "1 probabilities for 2 classes"),
        (b'{"columns": 0}\n', "probabilities for 2 classes"),
        (answer([[0, 0.9, 0.2], [1, 0.2, 0.8]]), "add up to 1; one row has 1.100"),
        (answer([[0, 1.5, -0.5], [1, 0.2, 0.8]]), "outside 0 to 1"),
        (answer([[0, np.nan, 0.5], [1, 0.2, 0.8]]), "1 values of “p_0” are missing or infinite"),
        (answer([[np.nan, 0.5, 0.5], [1, 0.2, 0.8]]), "1 values of “prediction” are missing"),
        (answer([[np.inf, 0.5, 0.5], [1, 0.2, 0.8]]), "1 values of “prediction” are missing"),
        (answer([[0.5, 0.5, 0.5], [1, 0.2, 0.8]]), "is not a class of “answer”"),
        (answer([[2, 0.5, 0.5], [1, 0.2, 0.8]]), "is not a class of “answer”"),
        (answer([[-1, 0.5, 0.5], [1, 0.2, 0.8]], unknown="maybe"), "“maybe” is predicted, but it is not a class"),
    ],
)
def test_what_cannot_be_true_is_refused(lie: bytes, sentence: str) -> None:
    with pytest.raises(PredictionsRefused, match=sentence):
        read_answer(lie, CLASSES, 2)


def test_the_models_own_words_are_passed_on_without_control_characters() -> None:
    with pytest.raises(ModelFailed, match=r"^KeyError: 'x' \[31m$"):
        read_answer(json.dumps({"error": "KeyError: 'x'\x1b[31m"}).encode() + b"\n", CLASSES, 2)
    with pytest.raises(ModelFailed) as failed:
        read_answer(json.dumps({"error": "x" * 1500}).encode() + b"\n", CLASSES, 2)
    assert len(str(failed.value)) == 500


def test_a_label_that_is_no_class_is_named_without_control_characters() -> None:
    lie = answer([[-1, 0.9, 0.1], [1, 0.2, 0.8]], unknown="may\x1b[2Jbe\nall is well" + "x" * 500)
    with pytest.raises(PredictionsRefused, match=r"^“may \[2Jbe all is wellx{39}” is predicted, but it is not a class"):
        read_answer(lie, CLASSES, 2)


@pytest.mark.parametrize("value", [1e200, -1e308, 2e70])
def test_numbers_that_no_score_can_be_computed_from_are_refused(value: float) -> None:
    with pytest.raises(PredictionsRefused, match=r"^1 prediction is beyond ±1e\+70, which no score can be computed"):
        read_answer(answer([[value], [1.0]]), NUMBERS, 2)
    assert read_answer(answer([[1e70], [-1e70]]), NUMBERS, 2).values.tolist() == [1e70, -1e70]


async def test_rows_in_json_are_text_where_training_had_text() -> None:
    """A ticket is text; a class of travel is a number in the table, so 3 stays 3 unless others of it are no numbers."""
    columns = {"ticket": ["a"], "travel": [1], "deck": [1], "n": [1.0], "answer": [1.0]}
    contract = contract_for(columns, "answer", roles={"ticket": "text", "travel": "category", "deck": "category"})
    rows: list[dict[str, Any]] = [
        {"ticket": 7, "travel": 3, "deck": 1.0, "n": 1},
        {"ticket": 7.5, "travel": 1, "deck": "B", "n": None},
        {"ticket": float("nan"), "travel": None, "deck": {"a": [1]}, "n": 2.5},
        {"ticket": "x"},
    ]
    given = await table_of(rows, contract)
    assert isinstance(given, list)
    assert [row["ticket"] for row in given] == ["7", "7.5", None, "x"]
    assert [row.get("travel") for row in given] == [3, 1, None, None]
    assert [row.get("deck") for row in given] == ["1", "B", "{'a': [1]}", None]
    assert [row.get("n") for row in given] == [1, None, 2.5, None]
    assert rows[0]["ticket"] == 7


def test_parts_are_put_together_or_refused() -> None:
    soft, hard = read_answer(answer(), CLASSES, 2), read_answer(answer([[0.0], [1.0]]), CLASSES, 2)
    both = joined([soft, soft])
    assert both.values.tolist() == [0, 1, 0, 1]
    assert both.probabilities is not None
    assert both.probabilities.shape == (4, 2)
    assert joined([hard, hard]).probabilities is None
    with pytest.raises(PredictionsRefused, match="some of the rows only"):
        joined([soft, hard])
    assert joined([]).values.tolist() == []


@pytest.mark.parametrize("kind", ["classes with probabilities", "classes", "numbers"])
def test_what_is_kept_is_read_again(kind: str, tmp_path: Path) -> None:
    contract = NUMBERS if kind == "numbers" else CLASSES
    found = Predictions(np.array([0.0, 1.0]), np.array([[0.9, 0.1], [0.2, 0.8]]) if "with" in kind else None)
    write_predictions(found, contract, tmp_path / "new" / "predictions.parquet")
    back = read_predictions(tmp_path / "new" / "predictions.parquet", contract, 2)
    assert back.values.tolist() == [0, 1]
    assert (back.probabilities is None) == (found.probabilities is None)
    if found.probabilities is not None:
        np.testing.assert_allclose(back.probabilities, found.probabilities, rtol=1e-15)  # type: ignore[arg-type]
    stored = pq.read_table(tmp_path / "new" / "predictions.parquet")
    assert stored["prediction"].to_pylist() == ([0.0, 1.0] if kind == "numbers" else ["no", "yes"])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["predictions.parquet"]
