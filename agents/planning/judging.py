"""How the model is judged: the measure, what errors cost, what one row is."""

from agents.language.vocabulary import word_set
from agents.language.words import keys
from agents.planning.target import TargetPlan
from agents.state import Request
from tools.contract import ContractError, Task
from tools.metrics import METRICS, default_metric
from tools.profile import Profile

_COSTS = {
    "roc_auc": (
        "A missed “{positive}” and a false alarm cost the same; say “optimise recall” or “optimise "
        "precision” if they do not."
    ),
    "average_precision": "“{positive}” is rare: what counts is how pure and how complete the top of the ranking is.",
    "recall": "A missed “{positive}” costs more than a false alarm.",
    "precision": "A false alarm costs more than a missed “{positive}”.",
    "f1": "A missed “{positive}” and a false alarm cost the same; right “{negative}” answers earn nothing.",
    "balanced_accuracy": "An error costs more in a rare class than in a frequent one.",
    "accuracy": "Every wrong answer costs the same, whatever its class.",
    "log_loss": "A wrong answer costs more the surer it was.",
    "brier": "A probability costs more the farther it is from what happened.",
    "rmse": "Large errors cost more than small ones (squared).",
    "mae": "An error costs its size.",
    "r2": "Large errors cost more than small ones (squared), seen against the spread of the target.",
    "mape": "An error costs its size relative to the true value.",
    "median_absolute_error": "The typical error counts; a few large ones cost nothing.",
}
_MANY = {
    "recall": "Missing a class costs more than naming it too often; every class counts the same.",
    "precision": "Naming a class wrongly costs more than missing it; every class counts the same.",
    "f1": "Misses and false alarms cost the same; every class counts the same.",
    "roc_auc": "What counts is how well each class is ranked before the others; every class counts the same.",
    "average_precision": "What counts is how pure and complete the top of each class's ranking is.",
}


def plan_metric(
    request: Request, target: TargetPlan, *, strict: bool = False
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """(metric, also, assumptions)."""
    name, also = default_metric(target.task, target.counts)
    if request.metric is None:
        return name, also, ()
    try:
        check_metric(request.metric, target.task)
    except ContractError as error:
        if strict:
            raise
        return name, also, (f"{error} I judge by {METRICS[name].label} instead.",)
    return request.metric, also_for(request.metric, target), ()


def also_for(metric: str, target: TargetPlan) -> tuple[str, ...]:
    """What is reported beside the measure that decides."""
    name, also = default_metric(target.task, target.counts)
    return tuple(other for other in (name, *also) if other != metric)


def check_metric(name: str, task: Task) -> None:
    """`ContractError` when there is no such measure or it does not fit the task."""
    fitting = ", ".join(metric.name for metric in METRICS.values() if task in metric.tasks)
    if name not in METRICS:
        raise ContractError(f"There is no measure “{name}”; for this task there are {fitting}.")
    if task not in METRICS[name].tasks:
        what = "a number" if task == "regression" else "classes"
        raise ContractError(f"{METRICS[name].label} does not fit a target that is {what}; {fitting} do.")


def cost_of_errors(metric: str, target: TargetPlan) -> str:
    """One sentence in words of the task."""
    if target.task == "multiclass" and metric in _MANY:
        return _MANY[metric]
    negative = next((label for label in target.classes if label != target.positive), "")
    return _COSTS[metric].format(positive=target.positive, negative=negative)


def row_unit(profile: Profile) -> tuple[str, tuple[str, ...]]:
    """What one row is, from the name of an identifier ("customerID": one customer), and the sentence for it."""
    for column in profile.columns:
        parts = keys(column.name)
        named = [part for part in parts if part not in word_set("no_unit") and part.isalpha()]
        if column.role == "id" and column.unique_share > 0.99 and named and len(named) < len(parts):
            unit = f"one {' '.join(named)}"
            return unit, (f"One row is {unit}, because “{column.name}” is different in every row.",)
    return "one row of the table", ()
