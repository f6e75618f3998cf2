"""Messages that change an earlier request: "try without x", "add it back", "predict price instead"."""

import re

from agents.language.columns import index_of
from agents.language.filling import Outcome, complete, filled, named_nothing, which_target
from agents.language.intents import wants_model
from agents.language.lists import Columns
from agents.language.reading import Reading, read
from agents.language.replies import spoken, suggestion
from agents.language.target import Target, ranked
from agents.language.words import normalise, quoted
from agents.state import Question, Request
from prompts.render import render
from tools.schema import Schema

_I = re.IGNORECASE
_OTHER = re.compile(
    (
        r"^(?:no|nope|not\s+(?:that|this)(?:\s+(?:one|column))?|wrong|wrong\s+(?:one|column)|other)?[\s,"
        r".!-]*(?:i\s+mean(?:t)?\s+|(?:please\s+)?(?:take|use|try|predict)\s+)?(?:the\s+|"
        r"an)?other(?:\s+(?:one|column|target|choice))?[\s.!]*$|^(?:no[\s,.!]+)?(?:wrong\s+(?:column|target|"
        r"one)|not\s+(?:that|this)(?:\s+(?:one|column))?|another\s+(?:one|column|target))[\s.!]*$"
    ),
    _I,
)
_EVERYTHING_AGAIN = re.compile(
    (
        r"^(?:(?:please|try|run|do|go|now|ok|and|again|it|this|once|more|train)\s+)*(?:with|use|using|"
        r"on)\s+(?:everything|all(?:\s+(?:of\s+)?(?:the\s+)?(?:columns?|features?|variables?|"
        r"data))?)(?:\s+(?:again|back|instead))?[\s.!]*$|^(?:reset|start\s+over\s+with\s+everything|"
        r"(?:restore|bring\s+back|add\s+back)\s+(?:everything|all(?:\s+(?:the\s+)?columns)?))[\s.!]*$"
    ),
    _I,
)
_INSTEAD = re.compile(r"\b(?:instead|rather|now|as\s+well|also|next|then|no|not)\b", _I)


def short_follow_up(plain: str, text: str, schema: Schema, earlier: Request) -> Outcome | None:
    if _EVERYTHING_AGAIN.match(plain):
        said = "I use every column again that makes sense."
        return spoken("revise", text, "", earlier).model_copy(
            update={"exclude": (), "include": (), "assumptions": (said,)}
        )
    if _OTHER.match(plain):
        return _other_target(text, schema, earlier)
    return None


def _other_target(text: str, schema: Schema, earlier: Request) -> Outcome:
    base = spoken("revise", text, "", earlier).model_copy(
        update={"target": None, "positive_class": None, "task": None, "metric": None}
    )
    if len(earlier.alternatives) == 1:
        name = earlier.alternatives[0]
        said = f"I predict “{name}” instead of “{earlier.target}”."
        return base.model_copy(update={"target": name, "alternatives": (earlier.target,), "assumptions": (said,)})
    choices = earlier.alternatives or ranked(schema, (earlier.target or "",))
    return Question(
        text=f"Not “{earlier.target}”: which column should I predict?", choices=choices, field="target", so_far=base
    )


def with_earlier(text: str, schema: Schema, earlier: Request, reading: Reading, target: Target) -> Outcome:
    """A change of the earlier request, or a request that starts anew because it names another target."""
    named = target.column is not None and (target.explicit or not reading.has_changes or _INSTEAD.search(text))
    if target.choices and (target.explicit or not reading.has_changes):
        return which_target(_revised(text, earlier, reading, schema), target, schema)
    if named and target.column != earlier.target:
        return _new_target(text, schema, earlier, reading, target)
    if named or reading.has_changes:
        revised = _revised(text, earlier, reading, schema)
        same = Target(earlier.target, value=target.value if named else None, alternatives=earlier.alternatives)
        return complete(revised, same, reading, schema)
    if target.said and target.explicit:
        return named_nothing(_revised(text, earlier, reading, schema), target, index_of(schema))
    if wants_model(normalise(text)) and re.search(
        r"\b(?:train|run|start|go|model|again|best|better|improve)\b", text, _I
    ):
        return spoken("revise", text, "", earlier).model_copy(
            update={"assumptions": ("I run the earlier request once more, unchanged.",)}
        )
    return spoken("unsupported", text, render("not_understood", said=text.strip()[:200], example=suggestion(schema)))


def _new_target(text: str, schema: Schema, earlier: Request, reading: Reading, target: Target) -> Outcome:
    """Another target: what was said about columns and time stays, what hangs on the old target does not."""
    base = _revised(text, earlier, reading, schema)
    fresh = {"positive_class": None, "task": None, "metric": reading.metric, "alternatives": target.alternatives}
    said = f"I predict “{target.column}” now instead of “{earlier.target}”"
    kept = _kept(earlier, target.column)
    base = base.model_copy(update={**fresh, "assumptions": (f"{said}{kept}.", *base.assumptions)})
    return complete(base, target, reading, schema)


def _kept(earlier: Request, target: str | None) -> str:
    left = tuple(name for name in earlier.exclude if name != target)
    return f", still without {quoted(left)}" if left else ""


def _revised(text: str, earlier: Request, reading: Reading, schema: Schema) -> Request:
    """The earlier request with what this message changes, its target untouched."""
    change = filled(Request(kind="revise", text=text), reading, schema)
    update: dict[str, object] = {"kind": "revise", "text": text, "reply": "", "assumptions": change.assumptions}
    update |= {
        name: value
        for name in ("metric", "budget_seconds", "holdout_fraction", "seed")
        if (value := getattr(change, name)) is not None
    }
    if reading.candidates is not None:
        update |= {"candidates": reading.candidates, "model": None}
    if reading.model is not None:
        update["model"] = reading.model
    if reading.profile is not None:
        update["profile"] = reading.profile
    if reading.split_rule is not None:
        update |= {"split_rule": change.split_rule, "split_column": change.split_column}
    revised = earlier.model_copy(update=update)
    last = read(earlier.text, index_of(schema), None).exclude.names if reading.restore.them else ()
    return _columns_changed(revised, earlier, reading, last)


def _columns_changed(request: Request, earlier: Request, reading: Reading, last: tuple[str, ...]) -> Request:
    restored = _pointed(reading.restore, earlier, last)
    exclude = [name for name in earlier.exclude if name not in restored]
    exclude += [name for name in reading.exclude.names if name not in exclude]
    include = [name for name in earlier.include if name not in reading.exclude.names]
    used = list(reading.include.names)
    if reading.include.everything or reading.restore.everything:
        include, exclude = [], list(reading.exclude.names)
    elif used and not reading.include_only and (reading.include_adds or all(name in earlier.exclude for name in used)):
        include += [name for name in used if include and name not in include]
    elif used:
        include = used
    exclude = [name for name in exclude if name not in used or name in reading.exclude.names]
    include += [name for name in restored if include and name not in include]
    said = _restored_sentence(reading, restored, earlier)
    return request.model_copy(
        update={"exclude": tuple(exclude), "include": tuple(include), "assumptions": (*request.assumptions, *said)}
    )


def _pointed(columns: Columns, earlier: Request, last: tuple[str, ...]) -> tuple[str, ...]:
    """The columns to bring back: named ones, "it" (the last that was left out), "them" (those of the last message)."""
    if columns.them:
        return tuple(name for name in earlier.exclude if name in last) or earlier.exclude
    if columns.it and not columns.names:
        return earlier.exclude[-1:]
    return columns.names


def _restored_sentence(reading: Reading, restored: tuple[str, ...], earlier: Request) -> tuple[str, ...]:
    if reading.restore.it or reading.restore.them:
        return (
            (f"I use {quoted(restored)} again.",)
            if restored
            else ("No column was left out, so there is nothing to add back.",)
        )
    missing = tuple(name for name in restored if name not in earlier.exclude and not earlier.include)
    return (f"{quoted(missing)} was not left out, so nothing changes for it.",) if missing else ()
