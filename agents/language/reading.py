"""One message, read as far as words go: which phrase may be the target, which lists, which wishes. Decides nothing."""

import re
from dataclasses import dataclass, field
from typing import Any

from agents.language import wishes
from agents.language.clauses import Clause, clauses
from agents.language.columns import ColumnIndex
from agents.language.families import candidates
from agents.language.limits import class_of_measure, figures, row_filters, treated, unwanted, years
from agents.language.lists import Columns, columns_in
from agents.language.marking import Marked, mark
from agents.language.measures import metric
from agents.language.models import model
from agents.language.profiles import profile
from agents.language.spelling import mend
from agents.language.time_limit import budget
from agents.language.values import values_in
from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import ATOM, MOST_CHARACTERS, keys, normalise
from agents.state import Request
from tools.schema import SchemaColumn

_I = re.IGNORECASE
_STRONG_USE = re.compile(
    r"\b(?:us(?:e|es|ing)|bas(?:ed|ing)|given|knowing|features?|inputs?|predictors?|function|basis)\b"
)
_ONLY = re.compile(r"\b(?:only|just|solely|purely|nothing but)\b", _I)
_ALSO = re.compile(r"\b(?:also|too|as well|plus|add\w*|in addition)\b", _I)


@dataclass(frozen=True)
class Reading:
    """All that the words say; `marked` text has wishes and values taken out."""

    marked: Marked
    targets: tuple[Clause, ...]
    """Clauses that may name the target, in order."""
    lead: str
    """What no cue claimed."""
    exclude: Columns = field(default_factory=Columns)
    include: Columns = field(default_factory=Columns)
    include_adds: bool = False
    """"also use x": added to what is used, not instead of it."""
    include_only: bool = False
    restore: Columns = field(default_factory=Columns)
    positive: tuple[str | None, str] | None = None
    """(column, value) of "churn = Yes"; the column is None for "the positive class is Yes"."""
    metric: str | None = None
    odd_metric: str | None = None
    """What should be optimised but is no measure."""
    budget_seconds: float | None = None
    candidates: tuple[str, ...] | None = None
    model: dict[str, Any] | None = None
    profile: str | None = None
    task: wishes.TaskWish | None = None
    split_rule: str | None = None
    split_columns: tuple[str, ...] = ()
    holdout_fraction: float | None = None
    seed: int | None = None
    unwanted: tuple[str, ...] = ()
    """Columns that are not to be predicted."""
    assumptions: tuple[str, ...] = ()

    @property
    def has_sense(self) -> bool:
        """Something besides a target was said that fits this table."""
        lists = (self.exclude, self.include, self.restore)
        found = any(columns.names or columns.everything or columns.it or columns.them for columns in lists)
        return found or (self.has_changes and all(columns == Columns() for columns in lists))

    @property
    def has_changes(self) -> bool:
        """Something besides a target was said."""
        lists = (self.exclude, self.include, self.restore)
        return any(columns != Columns() for columns in lists) or any(
            value is not None
            for value in (
                self.metric,
                self.odd_metric,
                self.budget_seconds,
                self.candidates,
                self.model,
                self.profile,
                self.task,
                self.split_rule,
                self.holdout_fraction,
                self.seed,
                self.positive,
            )
        )


def read(text: str, index: ColumnIndex, earlier: Request | None) -> Reading:
    """Take the wishes out of the message one by one, then read the grammar of what is left."""
    plain = mend(normalise(text), index)
    figure = figures(plain)
    dated = years(figure.text, index)
    manner = profile(dated.text)
    time = budget(manner.rest, earlier.budget_seconds if earlier else None)
    share = wishes.holdout_fraction(time.rest)
    number = wishes.seed(share.rest)
    marked = mark(number.rest, index)
    chosen = model(marked.text)
    measure = metric(chosen.rest)
    families = candidates(class_of_measure(measure.rest, measure.value))
    handled = treated(families.rest, marked)
    kind = wishes.task(handled.text)
    rest, folds = _without_folds(kind.rest)
    filtered = row_filters(rest, marked, index)
    rest, positive = values_in(filtered.text, marked, index)
    rest, odd = _odd_metric(rest)
    found = _on_target(clauses(rest))
    rule, split_columns, split_said = _split(found, marked, index)
    include = [clause for clause in found if clause.kind == "include"]
    return Reading(
        marked=Marked(rest, marked.atoms),
        targets=tuple(clause for clause in found if clause.kind == "target" or _points_at_column(clause)),
        lead=". ".join(clause.text for clause in found if clause.kind == "lead"),
        exclude=_all_columns([clause for clause in found if clause.kind == "exclude"], marked, index),
        include=_all_columns(include, marked, index),
        include_adds=any(_ALSO.search(f"{clause.cue} {clause.text}") for clause in include),
        include_only=any(_ONLY.search(f"{clause.cue} {clause.text}") for clause in include),
        restore=_all_columns([clause for clause in found if clause.kind == "restore"], marked, index),
        positive=positive or _positive(found),
        metric=measure.value,
        odd_metric=odd,
        budget_seconds=time.value,
        candidates=families.value,
        model=chosen.value,
        profile=manner.value,
        task=kind.value,
        split_rule=rule,
        split_columns=split_columns,
        holdout_fraction=share.value,
        seed=number.value,
        unwanted=unwanted(marked.text, marked),
        assumptions=(
            *_too_long(text),
            *time.assumptions,
            *share.assumptions,
            *measure.assumptions,
            *families.assumptions,
            *folds,
            *figure.said,
            *dated.said,
            *handled.said,
            *filtered.said,
            *split_said,
        ),
    )


def _too_long(text: str) -> tuple[str, ...]:
    said = f"Your message is long, so I read only its first {MOST_CHARACTERS:,} characters."
    return (said,) if len(text) > MOST_CHARACTERS else ()


_FOLDS = re.compile(
    (
        r"(?:\b(?:with|using|use|by|and)\s+)*(?:\b\d+[\s-]*folds?(?:\s+(?:cv|cross[\s-]?validation))?|"
        r"\bk-?folds?\b|\bcross[\s-]?validat\w+)"
    ),
    _I,
)


def _without_folds(text: str) -> tuple[str, tuple[str, ...]]:
    found = _FOLDS.search(text)
    if not found:
        return text, ()
    said = (
        "How many folds compare the models is planned from the time and the rows; the reported number comes "
        "from held-out rows."
    )
    return f"{text[: found.start()]} {text[found.end() :]}", (said,)


_ODD_METRIC = re.compile(
    (
        r"\b(?:optimi[sz]e|maximi[sz]e|minimi[sz]e|optimi[sz]ing|maximi[sz]ing|minimi[sz]ing)(?:\s+for)?\s+(?:the\s+|"
        r"our\s+|my\s+|expected\s+)*([^\s.,;!?]+)"
    ),
    _I,
)
_GENERAL = re.compile(
    (
        r"^(?:errors?|loss|quality|performance|score|result|model|models|it|this|that|prediction|fit|"
        r"mistakes?)$"
    ),
    _I,
)


_NAMED_METRIC = re.compile(
    r"\b(?:(?:with|using|use|by|the|as|and)\s+)*(?:metrics?|measure)\b\s*(?:is|=|:|should\s+be|called)?\s*([^\W\d_][\w-]*)",
    _I,
)


def _odd_metric(text: str) -> tuple[str, str | None]:
    found = _ODD_METRIC.search(text)
    named = _NAMED_METRIC.search(text)
    if not found and named and named.group(1).lower() not in vocabulary().reserved | word_set("stop"):
        return f"{text[: named.start()]} {text[named.end() :]}", named.group(1)
    if not found:
        return text, None
    said = found.group(1)
    if re.fullmatch(ATOM, said):
        return f"{text[: found.start()]} predict {text[found.start(1) :]}", None
    return f"{text[: found.start()]} {text[found.end() :]}", None if _GENERAL.match(said) else said


def _on_target(found: list[Clause]) -> list[Clause]:
    """ "random forest on Survived": with no other word for the target, a single column after "on" or "for" is it."""
    if any(clause.kind == "target" for clause in found):
        return found
    alone = [clause for clause in found if clause.kind == "include" and clause.cue in ("on", "on the")]
    lead = any(re.search(ATOM, clause.text) for clause in found if clause.kind == "lead")
    if lead or len(alone) != 1 or not re.fullmatch(ATOM, alone[0].text.strip(" .!?")):
        return found
    return [Clause("target", clause.text, "predict") if clause is alone[0] else clause for clause in found]


def _points_at_column(clause: Clause) -> bool:
    """ "I am interested in price" names a column, not a class."""
    return clause.kind == "positive" and bool(re.search(ATOM, clause.text))


def _positive(found: list[Clause]) -> tuple[None, str] | None:
    said = [clause.text.strip(" .,\"'") for clause in found if clause.kind == "positive"]
    said = [text for text in said if text and not re.search(ATOM, text)]
    return (None, said[0]) if said else None


def _all_columns(found: list[Clause], marked: Marked, index: ColumnIndex) -> Columns:
    total = Columns()
    for clause in found:
        lenient = clause.kind == "include" and not _STRONG_USE.search(clause.cue)
        total += columns_in(clause.text, marked, index, lenient)
    return total


_TIME_NAME = re.compile(
    r"(?:^|_)(?:date|time|day|dt\w*day|timestamp|datetime|year|yr|month|instant|period|week)(?:$|_)", _I
)


def looks_like_time(column: SchemaColumn) -> bool:
    """By role, type or name the column says when."""
    is_date = column.role == "date" or column.type in ("date", "datetime")
    return is_date or bool(_TIME_NAME.search("_".join(keys(column.name))))


def _split(
    found: list[Clause], marked: Marked, index: ColumnIndex
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """(rule, columns that it may go by, assumptions). A split by a column is by time when the column says when."""
    for clause in found:
        if clause.kind == "random_split":
            return "random", (), ()
        if clause.kind == "stratified_split":
            return "stratified", (), ()
        if clause.kind == "time_split":
            named = columns_in(clause.text, marked, index, lenient=True)
            return "time", named.names, named.assumptions
        if clause.kind == "predefined_split":
            named = columns_in(clause.text, marked, index, lenient=True)
            return "predefined", named.names[:1], ()
        if clause.kind == "group_split":
            return _split_by(clause, marked, index)
    return None, (), ()


def _split_by(
    clause: Clause, marked: Marked, index: ColumnIndex
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    named = columns_in(re.sub(r"\btogether\b", "", clause.text), marked, index)
    columns = [column for name in named.names if (column := index.column(name))]
    if not columns:
        return (
            None,
            (),
            (f"I find no column “{marked.spoken(clause.text)}” to split by, so I choose the split myself.",),
        )
    by_time = "group" not in clause.cue and all(looks_like_time(column) for column in columns)
    return "time" if by_time else "group", named.names, named.assumptions
