"""A plan of several requests on a terminal: its steps as lines, and lines that change it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.events import PlanMade, StepChanged
from chat_app.printable import printable

ABOUT = {
    "prepare": "says how a model's script prepares the columns; your table stays as it is",
    "model": "a model, with its own plan and script to approve",
    "revise": "the model before it, changed",
    "predict": "rows predicted by the model before it",
    "why": "about the result before it",
    "explain": "about the model before it",
    "analyse": "a question about the data",
}
ENDED = {"done": "done", "failed": "failed", "skipped": "not done"}


def step_line(number: int, step: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """ "3. predict churn (a model …; needs 1)"."""
    places = [str(place) for place, one in enumerate(steps, start=1) if one["id"] in step["depends_on"]]
    about = [ABOUT.get(step["kind"], ""), f"needs {' and '.join(places)}" if places else ""]
    said = "; ".join(part for part in about if part)
    return f"{number}. {step['text']}{f' ({said})' if said else ''}"


def show_steps(steps: Sequence[Mapping[str, Any]], console: Console) -> None:
    """What the person has to know before deciding."""
    for number, step in enumerate(steps, start=1):
        console.print(Text(f"  {printable(step_line(number, step, steps))}"))


def plan_lines(made: PlanMade) -> list[str]:
    """The plan in a log."""
    whose = "" if made.by in ("expert", "user") else f", as {made.by} reads it"
    first = f"These are {len(made.steps)} requests, one after the other{whose}:"
    if len(made.steps) == 1:
        first = "This is one request:"
    lines = [step_line(number, step, made.steps) for number, step in enumerate(made.steps, start=1)]
    return [first, *lines, *([made.reason] if made.reason else [])]


def changed_line(changed: StepChanged) -> str:
    """A step that begins or ends."""
    place = f"Step {changed.number} of {changed.of}"
    if changed.status == "running":
        return f"{place}: {changed.text}"
    return f"{place} {ENDED.get(changed.status, changed.status)}{f': {changed.note}' if changed.note else ''}"


def changed_steps(steps: Sequence[Mapping[str, Any]], lines: Sequence[str]) -> list[dict[str, Any]]:
    """`["order=2,1", "2=predict price"]` -> the steps that stay, {id, text}, in the new order.

    Numbers are always those of the plan as it was shown. Raises ValueError with a sentence.
    """
    texts = {number: str(step["text"]) for number, step in enumerate(steps, start=1)}
    order, added = list(texts), list[str]()
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not value:
            raise ValueError(f"{line!r} is no change; write it like order=2,1 or remove=2 or 2=predict price.")
        if name == "order":
            order = _ordered(value, order)
        elif name == "remove":
            gone = _numbers(value, order)
            order = [number for number in order if number not in gone]
        elif name == "add":
            added.append(value)
        else:
            texts[_numbers(name, order)[0]] = value
    kept: list[dict[str, Any]] = [{"id": steps[number - 1]["id"], "text": texts[number]} for number in order]
    return [*kept, *({"text": text} for text in added)]


def _numbers(value: str, known: Sequence[int]) -> list[int]:
    found = [part.strip() for part in value.split(",") if part.strip()]
    for part in found:
        if not part.isdecimal() or int(part) not in known:
            raise ValueError(f"There is no step {part}; the steps are {', '.join(map(str, sorted(known)))}.")
    if not found:
        raise ValueError("No step is named; give its number.")
    return [int(part) for part in found]


def _ordered(value: str, known: Sequence[int]) -> list[int]:
    wanted = _numbers(value, known)
    if sorted(wanted) != sorted(known):
        every = ", ".join(map(str, sorted(known)))
        raise ValueError(f"The order has to name each step once ({every}); remove=N takes one out.")
    return wanted
