"""What happens to each column: feature or not, how it is prepared, and why. The words match what the recipes do."""

from collections.abc import Collection

from agents.language.vocabulary import vocabulary, word_set
from agents.language.words import keys, quoted, stem
from agents.planning.evidence import marks
from tools.contract import ColumnPlan, ContractError, Role, Task
from tools.profile import ColumnProfile, Profile

MANY_LEVELS = 20
"""Above this a category gets its frequency (and its target mean) beside its code."""
ALMOST_EMPTY = 0.995
SAID = "You asked to leave it out."
EDITED_OUT = "You switched it off in the contract."
EDITED_IN = "You switched it on in the contract."
NOT_CHOSEN = "You named the columns to use, and it is not among them."


def plan_columns(
    profile: Profile,
    target: str,
    task: Task,
    *,
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    group: str | None = None,
) -> tuple[ColumnPlan, ...]:
    """A plan for every column but the target, in table order; `group` keeps rows together or apart."""
    plans = []
    for column in profile.columns:
        if column.name == target:
            continue
        why_not = _why_not(column, include, exclude, group)
        unused = ColumnPlan(name=column.name, role=column.role, use=False, reason=why_not)
        plans.append(unused if why_not else used(column, column.role, task))
    return tuple(plans)


def _why_not(column: ColumnProfile, include: Collection[str], exclude: Collection[str], group: str | None) -> str:
    if column.name in exclude:
        return SAID
    if never := unusable(column):
        return never
    if column.name == group and marks(column):
        return "It says which rows are for training and which for judging, which no new row can say."
    if column.name == group:
        return "The rows are kept together by it; as a feature it would only be learned by heart."
    if include:
        return "" if column.name in include else NOT_CHOSEN
    if column.role == "id":
        return f"An identifier is no feature: {column.evidence[:1].lower()}{column.evidence[1:]}"
    if column.missing_share > ALMOST_EMPTY:
        return f"It is missing in {column.missing_share:.1%} of the rows."
    return ""


def unusable(column: ColumnProfile) -> str:
    """Why the column can never be a feature; "" when it can."""
    if column.role == "empty":
        return "It has no value at all."
    if column.role == "constant":
        return "It has the same value in every row."
    if column.role == "id" and column.unique_share == 1:
        return f"An identifier is no feature: {column.evidence[:1].lower()}{column.evidence[1:]}"
    return ""


def used(column: ColumnProfile, role: Role, task: Task, reason: str = "") -> ColumnPlan:
    """The column as a feature."""
    steps, why = _steps(column, role, task)
    return ColumnPlan(name=column.name, role=role, use=True, steps=steps, reason=reason or why)


def _steps(column: ColumnProfile, role: Role, task: Task) -> tuple[tuple[str, ...], str]:
    gaps = column.missing or column.infinite
    match role:
        case "number":
            infinite = ("infinite values count as missing",) if column.infinite else ()
            fill = ("fill gaps with the median for the linear model, keep them for trees",) if gaps else ()
            return (*infinite, *fill, "scale for the linear model, as it is for trees"), column.evidence
        case "text":
            return ("TF-IDF of its words, the 80 that say most about the target", "length of the text"), column.evidence
        case "date":
            return ("days since 2000, year, month, day, weekday, day of the year, hour",), column.evidence
        case _:
            missing = ("a gap is a category of its own",) if gaps else ()
            coding = "one-hot for the linear model, a code for trees"
            many = ("how frequent the category is",) if column.distinct > MANY_LEVELS else ()
            mean = ("its target mean, learned inside each fold",) if many and task != "multiclass" else ()
            return (*missing, coding, *many, *mean), column.evidence


def check_features(columns: Collection[ColumnPlan], target: str) -> None:
    """At least one feature, or `ContractError`."""
    if any(column.use for column in columns):
        return
    if not columns:
        raise ContractError(f"“{target}” is the only column, so there is nothing to predict it from.")
    reasons = "; ".join(
        f"“{column.name}”: {column.reason[:1].lower()}{column.reason[1:].rstrip('.')}" for column in list(columns)[:3]
    )
    raise ContractError(f"No column is left to predict “{target}” from ({reasons}).")


def suspects(profile: Profile, target: str, columns: Collection[ColumnPlan]) -> tuple[str, ...]:
    """Features that look like the target in other words: sentences, nothing is dropped."""
    features = [profile.column(plan.name) for plan in columns if plan.use]
    named = tuple(column.name for column in features if _sounds_like(column.name, target))
    counted = tuple(
        column.name for column in features if column.name not in named and counts_like(column, profile.column(target))
    )
    said = []
    if named:
        it, is_one = ("it is", True) if len(named) == 1 else ("they are", False)
        verb, them = ("sounds", "it") if is_one else ("sound", "them")
        start = f"{quoted(named[:5])} {verb} like “{target}” in other words"
        said.append(f"{start}; if {it} only known afterwards, leave {them} out.")
    if counted:
        verb, says, them = ("has", "it says", "it") if len(counted) == 1 else ("have", "they say", "them")
        start = f"{quoted(counted[:5])} {verb} exactly as many rows per value as “{target}”"
        said.append(f"{start}; if {says} the same in other words, leave {them} out.")
    return tuple(said)


def _sounds_like(name: str, target: str) -> bool:
    """Its words contain all words of the target: churn_date, target_encoded; not for names as general as "type"."""
    goal = {stem(key) for key in keys(target) if key not in vocabulary().affixes}
    if not goal or (goal <= word_set("general_names") and goal != {"target"}) or all(len(key) < 3 for key in goal):
        return False
    return goal <= {stem(key) for key in keys(name)}


def counts_like(column: ColumnProfile, target: ColumnProfile) -> bool:
    if (
        not (column.top_complete and target.top_complete)
        or column.distinct != target.distinct
        or not 2 <= target.distinct <= 50
    ):
        return False
    counts = sorted(column.counts.values())
    return (
        counts == sorted(target.counts.values())
        and (len(set(counts)) > 1 or len(counts) > 5)
        and min(counts) != max(counts)
    )
