"""Whatever a model answers, a decision is sound, and where nothing of the answer holds it is the expert's."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from agents.llm.egress import NOTHING, Shown
from agents.llm.endpoint import Role
from agents.llm.salvage import NoValue, value_in
from agents.llm.spending import Spending
from agents.minds.asking import Asker, Heard
from agents.models import Models
from tests.minds_scene import HOSTILE, MINDS, SECRET, Mind, nobody

T = TypeVar("T", bound=BaseModel)
NONSENSE = st.sampled_from(["", " ", HOSTILE, SECRET, "__import__('os')", "age\n", "\x00", "🙂" * 9, "{score", "0.99"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | NONSENSE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class Answering(Asker):
    """The gateway without a network: two answers, each salvaged and checked as there; then the expert."""

    texts: tuple[str, ...] = ()

    async def decide(
        self,
        role: Role,
        messages: Sequence[BaseMessage],
        schema: type[T],
        check: Callable[[T], str] = lambda _: "",
        about: Shown = NOTHING,
    ) -> Heard[T]:
        assert not any(SECRET in message.text for message in messages), "a value of a cell in a prompt"
        problem = ""
        for text in self.texts:
            try:
                found = value_in(text, schema)
                problem = check(found)
            except NoValue as no:
                problem = str(no)
            else:
                if not problem:
                    return Heard(found, "m at host")
            assert problem, "whoever is asked again is told what is wrong"
        return Heard(None, trouble=f"m at host gave no usable answer: {problem}")


def fitting(schema: dict[str, Any], root: dict[str, Any], words: Sequence[str]) -> st.SearchStrategy[Any]:
    """Values of a JSON schema, its texts taken from what could slip through and from nonsense."""
    if "$ref" in schema:
        return fitting(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root, words)
    if "anyOf" in schema:
        return st.one_of(*(fitting(one, root, words) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    match schema.get("type"):
        case "object":
            parts = {name: fitting(one, root, words) for name, one in schema.get("properties", {}).items()}
            return st.fixed_dictionaries(parts)
        case "array":
            return st.lists(fitting(schema["items"], root, words), max_size=4)
        case "integer":
            return st.integers(-3, 40) | st.just(10**30)
        case "number":
            return st.floats(allow_nan=True) | st.sampled_from([0.0, 60.0, -1.0])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return st.sampled_from(words) | NONSENSE if words else NONSENSE


def answers_to(mind: Mind) -> st.SearchStrategy[str]:
    """Fitting values, fitting values with a field gone or spoiled, anything, and no JSON at all."""
    form = mind.schema.model_json_schema()
    whole = fitting(form, form, mind.words)
    fields = sorted(form["properties"])
    spoiled = st.builds(
        lambda value, name, other: {**value, name: other}, whole, st.sampled_from(fields), ANYTHING
    ) | st.builds(lambda value, name: {k: v for k, v in value.items() if k != name}, whole, st.sampled_from(fields))
    good = st.builds(
        lambda value, name: {**mind.good, name: value[name]}, whole, st.sampled_from(fields)
    )  # one field of a good answer goes astray
    return st.one_of(
        (whole | spoiled | good | ANYTHING).map(json.dumps),
        whole.map(lambda value: f"<think>{{}}</think>Sure!\n```json\n{json.dumps(value)}\n```"),
        st.text(max_size=60),
    )


@pytest.mark.parametrize("name", MINDS)
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
async def test_whatever_is_answered_the_decision_is_sound(name: str, data: st.DataObject) -> None:
    await sound(MINDS[name], data)


@pytest.mark.slow
@pytest.mark.parametrize("name", MINDS)
@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
async def test_whatever_is_answered_at_length(name: str, data: st.DataObject) -> None:
    await sound(MINDS[name], data)


async def sound(mind: Mind, data: st.DataObject) -> None:
    """Two answers of any kind, then what has to hold of the outcome."""
    texts = data.draw(st.tuples(answers_to(mind), answers_to(mind)))
    found = await mind.ask(Answering(Models(), Spending(), nobody, texts=texts))
    assert mind.sound(found), found


@pytest.mark.parametrize("name", MINDS)
async def test_a_good_answer_is_used_and_without_one_the_expert_stands(name: str) -> None:
    mind = MINDS[name]
    used = await mind.ask(Answering(Models(), Spending(), nobody, texts=("no", json.dumps(mind.good))))
    assert mind.made(used)
    assert mind.sound(used)
    alone = await mind.ask(Answering(Models(), Spending(), nobody, texts=("no", "{}}")))
    assert not mind.made(alone)
    assert mind.sound(alone)
