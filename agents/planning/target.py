"""The target: what task it makes, by evidence; its classes; which of two is the positive one; when to refuse."""

import re
from dataclasses import dataclass

from agents.language.vocabulary import word_set
from agents.language.words import keys, quoted
from tools.contract import ContractError, Task
from tools.profile import ColumnProfile, Profile

MIN_LABELLED = 20
"""Rows with a value in the target; fewer cannot be learned from and judged by."""
MAX_CLASSES = 50
MAX_NUMBER_CLASSES = 10
"""Whole numbers with at most so many values are taken for classes."""
ROWS_PER_CLASS = 5
"""Classes with fewer rows can hardly be judged; with fewer outside the commonest one, a fold may have only that."""
LARGEST_NUMBER = 1e30
"""Boosting works in 32-bit floats, which end at 3.4e38, and sums of squares need room too."""
_NUMBER_LIKE = re.compile(
    (
        r"price|cost|amount|salary|income|revenue|sales|value|rate|score|temperature|distance|weight|height|"
        r"length"
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TargetPlan:
    """What the target makes of the task."""

    task: Task
    classes: tuple[str, ...] = ()
    counts: dict[str, int] | None = None
    """Rows per class, in the order of `classes`; None for numbers."""
    positive: str | None = None
    assumptions: tuple[str, ...] = ()


def plan_target(
    profile: Profile, name: str, wish: str | None, positive: str | None, *, strict: bool = False
) -> TargetPlan:
    """Decide the task, or raise `ContractError`; with `strict` also for a wish that does not fit, else it is said."""
    column = target_column(profile, name)
    _check_filled(column, profile)
    task, said = _task(column, profile, wish, strict)
    if task == "regression":
        _check_size(column)
        return TargetPlan("regression", assumptions=said)
    counts = class_counts(column)
    _check_classes(column, counts)
    if len(counts) > 2:
        return TargetPlan("multiclass", tuple(counts), counts, assumptions=(*said, *_rare(column, counts)))
    label, why = _positive_class(column, counts, positive, strict)
    return TargetPlan("binary", tuple(counts), counts, label, (*said, *why))


def target_column(profile: Profile, name: str) -> ColumnProfile:
    """The column; `ContractError` when the table has none of that name."""
    try:
        return profile.column(name)
    except LookupError:
        shown = quoted(profile.names[:6]) + (f" and {len(profile.names) - 6} more" if len(profile.names) > 6 else "")
        raise ContractError(f"The table has no column “{name}”; it has {shown}.") from None


def labelled_rows(column: ColumnProfile, profile: Profile) -> int:
    """Rows with a usable value."""
    return profile.rows - column.missing - column.infinite


def _check_filled(column: ColumnProfile, profile: Profile) -> None:
    rows, filled = profile.rows, labelled_rows(column, profile)
    if rows < MIN_LABELLED:
        raise ContractError(
            f"The table has {rows:,} row{'' if rows == 1 else 's'}; at least {MIN_LABELLED} are needed to learn "
            f"from and to test on."
        )
    if filled == 0:
        raise ContractError(f"“{column.name}” has no value in any row, so there is nothing to learn from.")
    if filled < MIN_LABELLED:
        raise ContractError(
            f"Only {filled} of {rows:,} rows have a value in “{column.name}”; at least {MIN_LABELLED} are needed."
        )
    if column.distinct < 2:
        raise ContractError(
            f"“{column.name}” has the same value in every row that has one, so there is nothing to predict."
        )


def _task(column: ColumnProfile, profile: Profile, wish: str | None, strict: bool) -> tuple[Task, tuple[str, ...]]:
    if column.role == "date":
        raise ContractError(
            f"“{column.name}” holds dates; I can predict numbers and classes, so choose another column."
        )
    if column.role == "id" and (not column.is_numeric or column.is_sorted or column.unique_share == 1):
        raise ContractError(
            f"“{column.name}” is an identifier ({_lower(column.evidence)}), so nothing can be learned about it; "
            f"choose another column."
        )
    if not column.is_numeric:
        return _text_task(column, profile, wish, strict)
    if wish == "regression":
        return "regression", ()
    if wish is not None:
        return _wished_classes(column, strict)
    return _number_task(column, profile)


def _check_size(column: ColumnProfile) -> None:
    ends = [abs(end) for end in (column.minimum, column.maximum) if isinstance(end, int | float)]
    largest = max(ends, default=0.0)
    if largest > LARGEST_NUMBER:
        raise ContractError(
            f"“{column.name}” holds numbers as large as {largest:.3g}, too large to compute errors with (up to "
            f"{LARGEST_NUMBER:.0e} works); divide it, or say “as classes” if its values are kinds."
        )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _text_task(column: ColumnProfile, profile: Profile, wish: str | None, strict: bool) -> tuple[Task, tuple[str, ...]]:
    filled = labelled_rows(column, profile)
    if column.distinct > MAX_CLASSES or (column.distinct > 2 and column.distinct > filled / 2):
        raise ContractError(
            f"“{column.name}” is text with {column.distinct:,} different values in {filled:,} rows: "
            f"too many to be classes ({MAX_CLASSES} at most); choose another column."
        )
    task: Task = "binary" if column.distinct == 2 else "multiclass"
    if wish != "regression":
        return task, ()
    if strict:
        raise ContractError(
            f"“{column.name}” holds text, so it cannot be predicted as a number; its {column.distinct} values are "
            f"classes."
        )
    return task, (
        (f"You asked for a number, but “{column.name}” holds text, so its {column.distinct} values are classes."),
    )


def _wished_classes(column: ColumnProfile, strict: bool) -> tuple[Task, tuple[str, ...]]:
    task: Task = "binary" if column.distinct == 2 else "multiclass"
    if column.distinct <= MAX_CLASSES and column.top_complete:
        return task, ()
    message = (
        f"“{column.name}” has {column.distinct:,} different numbers: too many to be classes ({MAX_CLASSES} at most)"
    )
    if strict:
        raise ContractError(f"{message}; predict it as a number.")
    return "regression", (f"{message}, so I predict it as a number.",)


def _number_task(column: ColumnProfile, profile: Profile) -> tuple[Task, tuple[str, ...]]:
    """Two values are classes; few whole numbers are classes unless they count something; all else is a number."""
    name, values = column.name, column.distinct
    if values == 2:
        return "binary", ()
    few = values <= (MAX_NUMBER_CLASSES if column.is_integer_valued else 3)
    counted = bool(word_set("counted") & set(keys(name))) or (
        bool(_NUMBER_LIKE.search(name)) and column.role != "category"
    )
    if (
        few
        and column.top_complete
        and values * ROWS_PER_CLASS <= labelled_rows(column, profile)
        and not (counted and values > 3)
    ):
        said = (
            f"“{name}” has only {values} different numbers, so I treat them as classes; say “as regression” if "
            f"their size matters."
        )
        return "multiclass", (said,)
    if column.role == "category" and values <= MAX_CLASSES and column.top_complete:
        return "multiclass", (
            (
                f"The numbers in “{name}” are codes, so I treat them as classes; say “as regression” if their size "
                f"matters."
            ),
        )
    if few:
        return "regression", (
            (
                f"“{name}” counts something, so I predict it as a number; say “as classes” if its {values} values are "
                f"kinds."
            ),
        )
    return "regression", ()


def class_counts(column: ColumnProfile) -> dict[str, int]:
    """Rows per class label, numbers by size and the rest by alphabet (as tools/seal.py orders them)."""
    counts = column.counts if column.top_complete else {}
    return {label: counts[label] for label in sorted(counts, key=_label_order)}


def _label_order(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _check_classes(column: ColumnProfile, counts: dict[str, int]) -> None:
    if not counts:
        raise ContractError(f"“{column.name}” has too many different values to be classes.")
    others = sum(counts.values()) - max(counts.values())
    if len(counts) == 2 and others < ROWS_PER_CLASS:
        rarer = min(counts, key=lambda label: counts[label])
        has = "has a single row" if others == 1 else f"has only {others} rows"
        raise ContractError(
            f"The class “{rarer}” of “{column.name}” {has}: it cannot be both learned and tested; at "
            f"least {ROWS_PER_CLASS} rows of each of two classes are needed."
        )
    if len(counts) > 2 and others < ROWS_PER_CLASS:
        common = max(counts, key=lambda label: counts[label])
        raise ContractError(
            f"Only {others} rows of “{column.name}” are not “{common}”; at least {ROWS_PER_CLASS} are needed to learn "
            f"what sets them apart."
        )
    if sum(count >= 2 for count in counts.values()) < 2:
        raise ContractError(
            f"“{column.name}” has hardly two rows of the same class, so nothing general can be learned."
        )


def _rare(column: ColumnProfile, counts: dict[str, int]) -> tuple[str, ...]:
    rare = [label for label, count in counts.items() if count < ROWS_PER_CLASS]
    if not rare:
        return ()
    shown = quoted(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
    one = len(rare) == 1
    return (
        (
            f"{shown} of “{column.name}” {'has' if one else 'have'} fewer than {ROWS_PER_CLASS} rows, so how well "
            f"{'it is' if one else 'they are'} predicted can hardly be told."
        ),
    )


def _positive_class(
    column: ColumnProfile, counts: dict[str, int], wish: str | None, strict: bool
) -> tuple[str, tuple[str, ...]]:
    said: tuple[str, ...] = ()
    if wish is not None:
        found = next((label for label in counts if label == wish), None) or next(
            (label for label in counts if label.casefold() == wish.strip().casefold()), None
        )
        if found is not None:
            return found, ()
        message = f"“{wish}” is no class of “{column.name}”, which has {quoted(tuple(counts))}"
        if strict:
            raise ContractError(f"{message}.")
        said = (f"{message}, so I choose the positive class myself.",)
    by_name = [label for label in counts if label.casefold() in word_set("positive")]
    against = [label for label in counts if label.casefold() in word_set("negative")]
    if len(by_name) == 1:
        return by_name[0], (*said, f"“{by_name[0]}” is the positive class, the one to find.")
    if len(against) == 1:
        chosen = next(label for label in counts if label != against[0])
        return chosen, (*said, f"“{chosen}” is the positive class, the one to find.")
    rarer = min(counts, key=lambda label: (counts[label], label))
    return rarer, (*said, f"“{rarer}” is the positive class because it is the rarer one.")
