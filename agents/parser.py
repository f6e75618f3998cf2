"""The parser's decision: a message and the look of the table become a `Request`, or the one `Question` worth asking."""

import re
from dataclasses import replace

from agents.language.columns import ColumnIndex, index_of
from agents.language.costs import costs_in
from agents.language.explaining import explanation
from agents.language.filling import Outcome, complete, filled, fitting_metric, named_nothing, times, which_target
from agents.language.follow_up import short_follow_up, with_earlier
from agents.language.intents import NO_SINGLE_NUMBERS, ONLY_TABLES, cannot, intent_of, wants_model
from agents.language.limits import counts_some_rows
from agents.language.lists import columns_in
from agents.language.reading import Reading, read
from agents.language.replies import small_talk, spoken, suggestion
from agents.language.summary import summary
from agents.language.target import STRONG, Target, conventional, ranked, target_of, value_target
from agents.language.words import ATOM, keys, normalise
from agents.planning.blueprints import wish
from agents.state import Question, Request
from prompts.render import render
from tools.schema import Schema, schema_of

__all__ = ["answer", "parse", "schema_of", "summary"]

_I = re.IGNORECASE
_FORECAST_VERB = re.compile(r"\bforecast", _I)


def parse(text: str, schema: Schema, earlier: Request | None = None) -> Outcome:
    """Understand a message; `earlier` is the request that a follow-up changes."""
    costs, rest = costs_in(text)
    understood = _beside_costs(rest, schema, earlier) if costs else _with_wishes(text, schema, earlier)
    known = costs or (earlier.costs if earlier else None)
    return _with_costs(understood, text, known) if known else understood


def _beside_costs(rest: str, schema: Schema, earlier: Request | None) -> Outcome:
    """What is said beside costs; after a first result costs may be all that is said."""
    if keys(rest) or earlier is None or earlier.target is None:
        return _with_wishes(rest, schema, earlier)
    return spoken("revise", rest, "", earlier).model_copy(update={"assumptions": ()})


def _with_costs(understood: Outcome, text: str, costs: str | None) -> Outcome:
    if isinstance(understood, Question):
        so_far = understood.so_far.model_copy(update={"costs": costs})
        return understood.model_copy(update={"so_far": so_far})
    if understood.kind not in ("model", "revise"):
        return understood
    return understood.model_copy(update={"costs": costs, "text": text})


def _with_wishes(text: str, schema: Schema, earlier: Request | None) -> Outcome:
    named, rest = wish(normalise(text))
    if named is None or any("blueprint" in name.lower() for name in schema.names):
        return _with_blueprint(_parse(text, schema, earlier), text, earlier.blueprint if earlier else None)
    if keys(rest):
        understood = _parse(rest, schema, earlier)
    elif earlier is not None and earlier.target is not None:
        understood = spoken("revise", text, "", earlier).model_copy(update={"assumptions": ()})
    else:
        empty = Request(kind="model", text=text)
        understood = Question(
            text="Which column should I predict?", choices=ranked(schema, ()), field="target", so_far=empty
        )
    return _with_blueprint(understood, text, named)


def _with_blueprint(understood: Outcome, text: str, named: str | None) -> Outcome:
    """What was said of blueprints, now or earlier, beside all else; the words stay the user's own."""
    if isinstance(understood, Question):
        so_far = understood.so_far.model_copy(update={"blueprint": named, "text": text})
        return understood.model_copy(update={"so_far": so_far})
    if understood.kind not in ("model", "revise"):
        return understood
    return understood.model_copy(update={"blueprint": named, "text": text})


def _parse(text: str, schema: Schema, earlier: Request | None = None) -> Outcome:
    plain = normalise(text)
    index = index_of(schema)
    settled = earlier if earlier is not None and earlier.target is not None else None
    if settled is not None and (asked := explanation(plain, schema, index, settled.target)) is not None:
        return spoken("explain", text, "", settled).model_copy(update={"explain": asked})
    if settled is not None and (follow := short_follow_up(plain, text, schema, settled)) is not None:
        return follow
    reading = read(text, index, settled)
    target = target_of(reading, index)
    if not _is_plain_request(reading, target):
        if other := _no_model(plain, text, schema, settled, reading, target):
            return other
    elif (sentence := cannot(_masked(reading))) and sentence != ONLY_TABLES:
        reading = replace(reading, assumptions=(*reading.assumptions, f"{sentence} I do the rest."))
    if settled is not None:
        return with_earlier(text, schema, settled, reading, target)
    return _fresh(text, schema, reading, target)


def _masked(reading: Reading) -> str:
    """The message without the words of column names: a column "weather" is no small talk."""
    return re.sub(ATOM, "column", reading.marked.text)


def _is_plain_request(reading: Reading, target: Target) -> bool:
    """ "predict churn": a strong word and a column that stands there as it is."""
    if target.column is None and not target.choices:
        return False
    strong = any(
        re.search(ATOM, clause.text) and STRONG.search(clause.cue) and not _FORECAST_VERB.search(clause.cue)
        for clause in reading.targets
    )
    return strong and target.explicit


def _no_model(
    plain: str, text: str, schema: Schema, earlier: Request | None, reading: Reading, target: Target
) -> Request | None:
    """What is no request for a model: small talk, the table, the result, and what we cannot do."""
    if intent := intent_of(plain):
        return small_talk(intent, text, schema, earlier)
    masked = _masked(reading)
    if sentence := NO_SINGLE_NUMBERS if counts_some_rows(reading.marked.text, index_of(schema)) else cannot(masked):
        if _FORECAST_VERB.search(masked) and target.column:
            dates = times(schema, target.column)
            split = f", split by {dates[0]}" if dates else ""
            return spoken(
                "unsupported", text, render("unsupported", cannot=sentence, example=f"predict {target.column}{split}")
            )
        return spoken("unsupported", text, render("unsupported", cannot=sentence, example=suggestion(schema)))
    return None


def _fresh(text: str, schema: Schema, reading: Reading, target: Target) -> Outcome:
    base = filled(Request(kind="model", text=text), reading, schema)
    if target.column is not None:
        return complete(base, target, reading, schema)
    if target.choices:
        return which_target(base, target, schema)
    if target.said and target.explicit:
        if _asks_whether(reading) and (by_value := value_target(normalise(text), index_of(schema))).column:
            return complete(base, by_value, reading, schema)
        return named_nothing(base, target, index_of(schema))
    said = target.said if keys(target.said) else ""
    unfit = reading.has_changes and not reading.has_sense
    if (said or unfit) and not wants_model(normalise(text)) and not reading.has_sense:
        return spoken(
            "unsupported", text, render("not_understood", said=text.strip()[:200], example=suggestion(schema))
        )
    by_value = value_target(normalise(text), index_of(schema))
    if by_value.column is not None:
        return complete(base, by_value, reading, schema)
    return _by_convention(base, schema, reading)


def _asks_whether(reading: Reading) -> bool:
    """ "whether they pay by cash" names no column, but an answer that one column holds."""
    return any(re.search(r"\b(?:whether|if|likely|probab\w*|chances?)\b", clause.cue) for clause in reading.targets)


def _by_convention(base: Request, schema: Schema, reading: Reading) -> Outcome:
    name, sentence = conventional(schema)
    if name is not None and name not in (*base.exclude, *reading.unwanted):
        return complete(base, Target(name, assumptions=(sentence,)), reading, schema)
    return Question(
        text="Which column should I predict?",
        choices=ranked(schema, (*base.exclude, *reading.unwanted)),
        field="target",
        so_far=base,
    )


# --- the answer to a question ---

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_GIVE_UP = re.compile(
    r"^(?:never\s*mind|cancel|forget\s+it|nothing|none(?:\s+of\s+(?:them|these|those))?|stop|no)[\s.!]*$", _I
)


def answer(question: Question, text: str, schema: Schema) -> Outcome:
    """Complete the request with the answer: a choice, its number, a column, or a new sentence."""
    index = index_of(schema)
    plain = normalise(text)
    if _GIVE_UP.match(plain):
        return spoken("help", text, render("help", example=suggestion(schema)))
    chosen = _choice(question, plain) or next(iter(index.spelt(plain.strip(" .!\"'`“”"))), None)
    if chosen is not None:
        return _fill(question, chosen, schema)
    return _answer_in_words(question, text, schema, index)


def _choice(question: Question, plain: str) -> str | None:
    wanted = plain.strip(" .!\"'`“”").casefold()
    exact = next((choice for choice in question.choices if choice.casefold() == wanted), None)
    if exact is not None:
        return exact
    bare = re.sub(r"^(?:the|number|no\.?|option|choice)\s+|\s+(?:one|column|option|choice)$", "", wanted).strip(" .)")
    if bare.isdigit() and 1 <= int(bare) <= len(question.choices):
        return question.choices[int(bare) - 1]
    if bare in _ORDINALS[: len(question.choices)]:
        return question.choices[_ORDINALS.index(bare)]
    return question.choices[-1] if bare in ("last", "latter") and question.choices else None


def _fill(question: Question, chosen: str, schema: Schema) -> Outcome:
    filled = question.so_far.model_copy(update={question.field: chosen})
    if question.field != "target":
        return filled
    others = tuple(choice for choice in question.choices if choice != chosen)
    filled = filled.model_copy(
        update={
            "exclude": tuple(name for name in filled.exclude if name != chosen),
            "include": tuple(name for name in filled.include if name != chosen),
        }
    )
    return fitting_metric(filled.model_copy(update={"alternatives": others if len(others) == 1 else ()}), schema)


def _answer_in_words(question: Question, text: str, schema: Schema, index: ColumnIndex) -> Outcome:
    reading = read(text, index, None)
    if question.field == "target":
        target = target_of(reading, index)
        near = [match.column for match in index.find(text) if match.column in question.choices and match.score >= 0.5]
        if target.column is None and near:
            target = Target(near[0], assumptions=(f"I take “{text.strip()}” to mean “{near[0]}”.",))
        if target.column is not None:
            return complete(_merged(question.so_far, reading, schema), target, reading, schema)
    elif names := columns_in(reading.marked.text, reading.marked, index).names:
        return _fill(question, names[0], schema)
    fresh = parse(text, schema)
    if isinstance(fresh, Request) and fresh.kind not in ("unsupported",):
        return fresh
    again = (
        f"I find no column for “{text.strip()[:100]}”. {question.text}"
        if not question.text.startswith("I find no")
        else question.text
    )
    return question.model_copy(update={"text": again})


def _merged(so_far: Request, reading: Reading, schema: Schema) -> Request:
    """The open request with what the answer adds to it."""
    added = filled(Request(kind=so_far.kind, text=so_far.text), reading, schema)
    update = {
        name: value
        for name in Request.model_fields
        if (value := getattr(added, name)) and name not in ("kind", "text", "assumptions")
    }
    return so_far.model_copy(update={**update, "assumptions": (*so_far.assumptions, *added.assumptions)})
