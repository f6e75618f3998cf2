"""Texts with places: nothing is left unfilled, nothing is filled in twice, nothing outside the folder is read."""

from pathlib import Path

import pytest

import prompts
from prompts.render import PromptError, origin, render


def test_a_text_is_filled() -> None:
    assert "“predict churn”" in render("help", example="predict churn")


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("help", {}, "needs a value for example"),
        ("thanks", {"example": "x"}, "has no place for example"),
        ("nope", {}, "There is no text 'nope'"),
        ("../README", {}, "There is no text"),
    ],
)
def test_what_does_not_fit_is_an_error(name: str, values: dict[str, str], sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        render(name, **values)


def test_a_value_is_never_read_as_a_place() -> None:
    assert "{{said}}" in render("nothing_yet", example="{{said}}")


def test_every_text_is_used_and_has_words() -> None:
    folder = Path(prompts.__file__).parent
    users = [path for part in ("agents", "chat_app") for path in (folder.parent / part).rglob("*.py")]
    code = "".join(path.read_text("utf-8") for path in users)
    for path in folder.glob("*.md"):
        assert path.read_text("utf-8").strip()
        assert f'"{path.stem}"' in code, f"{path.name} is used nowhere"


def test_a_rendered_text_is_known_again() -> None:
    name, version = origin(render("answer_repair", problem="target: no such column\n\nGive it again")) or ("", "")
    assert name == "answer_repair"
    assert len(version) == 12
    assert origin(render("help", example="x" * 5000)) == origin(render("help", example="y"))
    assert origin("Something that nobody here has written.") is None
    assert origin("") is None
