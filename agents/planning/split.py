"""How the hold-out is chosen: by time when rows happen in order, by group when an entity repeats, else by chance."""

from agents.language.vocabulary import word_set
from agents.language.words import keys, quoted
from agents.state import Request
from tools.contract import ContractError, Split, SplitRule, Task
from tools.profile import ColumnProfile, Profile

HOLDOUT = 0.2
_MAX_GAPS = 0.05
_FEW_MOMENTS = 10


def plan_split(
    request: Request, profile: Profile, target: str, task: Task, *, strict: bool = False
) -> tuple[Split, tuple[str, ...]]:
    """The split and what has to be said about it."""
    fraction = request.holdout_fraction or HOLDOUT
    if request.split_rule is not None:
        return _wished(request, profile, target, task, fraction, strict)
    return _by_evidence(profile, target, task, fraction)


def _wished(
    request: Request, profile: Profile, target: str, task: Task, fraction: float, strict: bool
) -> tuple[Split, tuple[str, ...]]:
    rule = request.split_rule
    assert rule is not None
    name = request.split_column
    try:
        if rule in ("time", "group"):
            name = name or _only(profile, target, rule)
            check_split(rule, name, profile, target, task)
            return Split(rule=rule, column=name, holdout_fraction=fraction, reason="You asked for it."), ()
        check_split(rule, None, profile, target, task)
        return Split(rule=rule, holdout_fraction=fraction, reason="You asked for it."), ()
    except ContractError as error:
        if strict:
            raise
        split, said = _by_evidence(profile, target, task, fraction)
        return split, (f"{error} So I split {_in_words(split)}.", *said)


def _only(profile: Profile, target: str, rule: SplitRule) -> str:
    found = _dates(profile, target) if rule == "time" else _entities(profile, target)
    if not found:
        what = "says when a row happened" if rule == "time" else "names things that several rows belong to"
        raise ContractError(f"No column {what}, so the rows cannot be split by {rule}.")
    return found[0].name


def check_split(rule: SplitRule, name: str | None, profile: Profile, target: str, task: Task) -> None:
    """`ContractError` when the rows cannot be split so."""
    if rule == "stratified" and task == "regression":
        raise ContractError("A stratified split needs classes, and a number has none.")
    if rule in ("random", "stratified"):
        return
    if name is None:
        raise ContractError(f"A split by {rule} needs a column to split by.")
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


def _in_words(split: Split) -> str:
    names = {
        "time": "by time",
        "group": "by group",
        "random": "at random",
        "stratified": "at random with equal shares of each class",
    }
    return names[split.rule]


def _by_evidence(profile: Profile, target: str, task: Task, fraction: float) -> tuple[Split, tuple[str, ...]]:
    dates, entities = _dates(profile, target), _entities(profile, target)
    events = [column for column in dates if column.is_sorted] or [column for column in dates if _is_event(column)]
    if events:
        return _time_split(events[0], fraction, entities)
    said = _raise_time(dates)
    if entities:
        return _group_split(entities[0], profile, fraction, said)
    if task == "regression":
        return Split(
            rule="random", holdout_fraction=fraction, reason="The rows have no order or groups that matter."
        ), said
    return Split(rule="stratified", holdout_fraction=fraction, reason="Every class has its share in both parts."), said


def _time_split(column: ColumnProfile, fraction: float, entities: list[ColumnProfile]) -> tuple[Split, tuple[str, ...]]:
    why = (
        f"the rows are in the order of “{column.name}”"
        if column.is_sorted
        else f"“{column.name}” says when a row happened"
    )
    said = [
        (
            f"Split by time? I do: {why}, so the model is judged on later rows, as it will be used; say “split "
            f"randomly” if order does not matter."
        )
    ]
    if entities:
        said.append(
            f"“{entities[0].name}” repeats; say “grouped by {entities[0].name}” if the model will meet new ones."
        )
    return Split(
        rule="time",
        column=column.name,
        holdout_fraction=fraction,
        reason=f"The latest rows are held out because {why}.",
    ), tuple(said)


def _raise_time(dates: list[ColumnProfile]) -> tuple[str, ...]:
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
    each = (profile.rows - column.missing) / column.distinct
    why = f"“{column.name}” has {column.distinct:,} values in {profile.rows:,} rows ({each:.1f} rows each)"
    sentence = (
        f"{why}, so all rows of one stay on one side; say “split randomly” if the model will only meet known ones."
    )
    return Split(
        rule="group", column=column.name, holdout_fraction=fraction, reason=f"{why}; rows of one belong together."
    ), (*said, sentence)


def _dates(profile: Profile, target: str) -> list[ColumnProfile]:
    found = [
        column
        for column in profile.columns
        if column.role == "date"
        and column.name != target
        and column.missing_share <= _MAX_GAPS
        and column.distinct >= _FEW_MOMENTS
    ]
    return [column for column in found if not word_set("other_dates") & set(_parts(column.name))] or found


def _is_event(column: ColumnProfile) -> bool:
    parts = set(_parts(column.name))
    return bool(parts & word_set("event_dates")) and not parts & word_set("other_dates")


def _parts(name: str) -> tuple[str, ...]:
    """The words of a name; "orderdate" has "date" in it as well."""
    parts = keys(name)
    return (*parts, *(end for part in parts for end in ("date", "time") if part.endswith(end) and part != end))


def _entities(profile: Profile, target: str) -> list[ColumnProfile]:
    """Identifiers that repeat: several rows belong to one customer, patient or device."""
    found = [
        column
        for column in profile.columns
        if column.role == "id"
        and column.name != target
        and column.missing_share <= 0.5
        and 10 <= column.distinct <= 0.9 * (profile.rows - column.missing)
    ]
    return sorted(found, key=lambda column: -column.distinct)
