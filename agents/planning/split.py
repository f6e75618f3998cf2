"""How the hold-out is chosen: as the table marks it, by time when rows happen in order, by group, else by chance."""

from typing import get_args

from agents.language.words import quoted
from agents.planning.evidence import Evidence, each, evidence_of, in_order, marked_share, marks
from agents.state import Request
from tools.contract import ContractError, Split, SplitRule, Task
from tools.profile import ColumnProfile, Profile

HOLDOUT = 0.2
NEEDS_COLUMN = ("time", "group", "predefined")
NO_FEATURE = ("group", "predefined")
"""Rules whose column cannot be a feature."""
_WHAT = {
    "time": "says when a row happened",
    "group": "names things that several rows belong to",
    "predefined": "marks rows as train and test",
}
_HOW = {"time": "by time", "group": "by group", "predefined": "as a column says"}


def plan_split(
    request: Request, profile: Profile, target: str, task: Task, *, strict: bool = False
) -> tuple[Split, tuple[str, ...]]:
    """The split and what has to be said about it."""
    fraction = request.holdout_fraction or HOLDOUT
    found = evidence_of(profile, target)
    if request.split_rule is not None:
        split, said = _wished(request, profile, target, task, fraction, found, strict)
    else:
        split, said = _by_evidence(found, profile, task, fraction)
    return with_evidence(split, found), said


def with_evidence(split: Split, found: Evidence) -> Split:
    """The same split with what the table says for or against it, and what it is to be compared by."""
    moment = split.column if split.rule == "time" else found.moment.name if found.moment else None
    entity = split.column if split.rule == "group" else found.entity.name if found.entity else None
    return split.model_copy(update={"evidence": found.sentences, "ordered_by": moment, "repeats": entity})


def keeps_apart(split: Split) -> str | None:
    """The column by which rows are kept apart; it is no feature."""
    return split.column if split.rule in NO_FEATURE else None


def _wished(
    request: Request, profile: Profile, target: str, task: Task, fraction: float, found: Evidence, strict: bool
) -> tuple[Split, tuple[str, ...]]:
    rule = request.split_rule
    assert rule is not None
    name = request.split_column
    if rule == "group" and name in profile.names and marks(profile.column(name)):
        rule = "predefined"  # "split by set", where the column set says train and test
    try:
        if rule in NEEDS_COLUMN:
            name = name or _only(found, rule)
            check_split(rule, name, profile, target, task)
            share = fraction if rule != "predefined" else marked_share(profile.column(name))
            return Split(rule=rule, column=name, holdout_fraction=share, reason="You asked for it."), ()
        check_split(rule, None, profile, target, task)
        return Split(rule=rule, holdout_fraction=fraction, reason="You asked for it."), ()
    except ContractError as error:
        if strict:
            raise
        split, said = _by_evidence(found, profile, task, fraction)
        return split, (f"{error} So I split {_in_words(split)}.", *said)


def read_split(text: str) -> dict[str, str]:
    """ "time:date" or "random" as a change of the contract; `ContractError` for an unknown rule."""
    rule, _, column = text.partition(":")
    rule = rule.strip().lower()
    if rule not in get_args(SplitRule):
        raise ContractError(f"There is no split “{rule[:40]}”; choose {quoted(get_args(SplitRule), 'or')}.")
    return {"rule": rule, "column": column.strip()} if column.strip() else {"rule": rule}


def _only(found: Evidence, rule: SplitRule) -> str:
    name = the_column_for(rule, found)
    if name is None:
        raise ContractError(f"No column {_WHAT[rule]}, so the rows cannot be split {_HOW[rule]}.")
    return name


def the_column_for(rule: SplitRule, found: Evidence) -> str | None:
    """The column that a split of this kind goes by when nobody names one."""
    there = {"time": found.events or found.dates, "group": found.entities, "predefined": found.marked}.get(rule, ())
    if rule == "time" and not there and found.counter is not None:
        return found.counter.name
    return there[0].name if there else None


def check_split(rule: SplitRule, name: str | None, profile: Profile, target: str, task: Task) -> None:
    """`ContractError` when the rows cannot be split so."""
    if rule == "stratified" and task == "regression":
        raise ContractError("A stratified split needs classes, and a number has none.")
    if rule in ("random", "stratified"):
        return
    if name is None:
        raise ContractError(f"A split {_HOW[rule]} needs a column to split by.")
    if name not in profile.names:
        raise ContractError(f"The table has no column “{name}” to split by.")
    if name == target:
        raise ContractError(f"“{name}” is what is predicted, so the rows cannot be split by it.")
    column = profile.column(name)
    if column.distinct < 2:
        raise ContractError(f"“{name}” is the same in every row, so the rows cannot be split by it.")
    if rule == "time" and not (column.role == "date" or column.is_numeric):
        raise ContractError(f"“{name}” holds neither dates nor numbers, so the rows cannot be put in order by it.")
    if rule == "group" and column.distinct >= profile.rows - column.missing:
        raise ContractError(f"“{name}” is different in every row, so there are no groups to keep together.")
    if rule == "predefined":
        _check_marks(column)


def _check_marks(column: ColumnProfile) -> None:
    if marks(column) is None:
        seen = quoted([item.value[:30] for item in column.top[:4]]) if column.top else f"{column.distinct:,} values"
        raise ContractError(
            f"“{column.name}” does not say which rows to learn from and which to judge by: it holds {seen}; values "
            "like train and test would."
        )
    share = marked_share(column)
    if not 0.01 <= share <= 0.8:
        raise ContractError(
            f"“{column.name}” marks {share:.1%} of the rows to judge by; a split needs 1 % to 80 % of them."
        )


def _in_words(split: Split) -> str:
    names = {
        **_HOW,
        "random": "at random",
        "stratified": "at random with equal shares of each class",
    }
    return names[split.rule]


def _by_evidence(found: Evidence, profile: Profile, task: Task, fraction: float) -> tuple[Split, tuple[str, ...]]:
    usable = [column for column in found.marked if 0.01 <= marked_share(column) <= 0.8]
    if usable:
        return _marked_split(usable[0])
    if found.moment is not None:
        return _time_split(found.moment, fraction, found)
    said = _raise_time(found.dates)
    if found.entity is not None:
        return _group_split(found.entity, profile, fraction, said)
    if task == "regression":
        return Split(
            rule="random", holdout_fraction=fraction, reason="The rows have no order or groups that matter."
        ), said
    return Split(rule="stratified", holdout_fraction=fraction, reason="Every class has its share in both parts."), said


def _marked_split(column: ColumnProfile) -> tuple[Split, tuple[str, ...]]:
    why = f"“{column.name}” says which rows are for training and which for judging"
    return Split(rule="predefined", column=column.name, holdout_fraction=marked_share(column), reason=f"{why}."), (
        f"{why}, so I keep to it; say “split randomly” if it means something else.",
    )


def _time_split(column: ColumnProfile, fraction: float, found: Evidence) -> tuple[Split, tuple[str, ...]]:
    why = (
        f"the rows are in the order of “{column.name}”"
        if in_order(column)
        else f"“{column.name}” says when a row happened"
    )
    said = [
        (
            f"Split by time? I do: {why}, so the model is judged on later rows, as it will be used; say “split "
            f"randomly” if order does not matter."
        )
    ]
    if found.entity is not None:
        name = found.entity.name
        said.append(f"“{name}” repeats; say “grouped by {name}” if the model will meet new ones.")
    return Split(
        rule="time",
        column=column.name,
        holdout_fraction=fraction,
        reason=f"The latest rows are held out because {why}.",
    ), tuple(said)


def _raise_time(dates: tuple[ColumnProfile, ...]) -> tuple[str, ...]:
    if not dates:
        return ()
    names = quoted([column.name for column in dates[:3]])
    return (
        (
            f"Split by time? I do not: {names} {'does' if len(dates) == 1 else 'do'} not seem to say when a row "
            f"happened; say “split by {dates[0].name}” if the model will predict later rows."
        ),
    )


def _group_split(
    column: ColumnProfile, profile: Profile, fraction: float, said: tuple[str, ...]
) -> tuple[Split, tuple[str, ...]]:
    rows = f"{profile.rows:,} rows ({each(column, profile):.1f} rows each)"
    why = f"“{column.name}” has {column.distinct:,} values in {rows}"
    sentence = (
        f"{why}, so all rows of one stay on one side; say “split randomly” if the model will only meet known ones."
    )
    return Split(
        rule="group", column=column.name, holdout_fraction=fraction, reason=f"{why}; rows of one belong together."
    ), (*said, sentence)
