"""A chosen model in words: for the log, the terminal, the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.markdown import plain
from tools.metrics import METRICS
from tools.models.catalogue import estimators
from tools.models.choice import ModelChoice, written
from tools.models.cost import candidates

SEARCHES: Mapping[str, str] = {
    "none": "no search",
    "grid": "grid search",
    "randomised": "randomised search",
    "optuna": "Optuna",
}


def in_words(choice: ModelChoice) -> str:
    """ "Random forest with n_estimators=500; Optuna over max_depth=3..12, 30 candidates" """
    one = estimators().get(choice.estimator)
    title = one.title if one else choice.estimator
    given = ", ".join(f"{name}={written(value)}" for name, value in choice.parameters)
    text = f"{title}{f' with {given}' if given else ' as it comes'}"
    if choice.search == "none":
        return text
    space = " ".join(f"{one.name}={one.text}" for one in choice.space)
    return f"{text}; {SEARCHES[choice.search]} over {space}: {candidates(choice)} candidates on {choice.folds} folds"


def model_facts(model: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Name and text of a contract's model, for a terminal."""
    if not model:
        return []
    choice = ModelChoice.model_validate(model)
    template = f" (template “{choice.template}”)" if choice.template else ""
    facts = [("Model", in_words(choice) + template)]
    return facts + ([("", choice.sentence)] if choice.sentence else [])


def report_part(choice: ModelChoice | None, leaderboard: Sequence[Mapping[str, Any]], metric: str) -> Any:
    """`model` of report.json. `leaderboard`: verified rows only, best first; empty when nothing can be said of it."""
    if choice is None:
        return None
    scored = [row for row in leaderboard if row.get("cv_score") is not None and row.get("model") != "dummy"]
    searched = choice.search != "none"
    return {
        **choice.model_dump(mode="json"),
        "parameters": dict(choice.parameters),
        "space": {one.name: one.text for one in choice.space},
        "title": estimators()[choice.estimator].title if choice.estimator in estimators() else choice.estimator,
        "winner": str(scored[0]["model"]) if scored and searched else None,
        "sentences": [in_words(choice) + ".", *(_found(choice, scored, metric) if searched else ())],
    }


def _found(choice: ModelChoice, scored: Sequence[Mapping[str, Any]], metric: str) -> tuple[str, ...]:
    """What won, against what was chosen, and what its inner score is worth."""
    if not scored:
        return ("What the search compared is not known.",)
    form, best = METRICS[metric], scored[0]
    first = next((row for row in scored if str(row["model"]).endswith(", as chosen")), None)
    said = f"The best on the inner folds is “{best['model']}” with {form.label} {form.format(float(best['cv_score']))}"
    if first is best:
        said += ": no candidate of the search beat what was chosen"
    elif first is not None:
        said += f"; what was chosen without the search has {form.format(float(first['cv_score']))}"
    if len(scored) < 2:
        return (f"{said}.",)
    worth = (
        f"The inner score is the best of {len(scored)} on the same folds and therefore optimistic: the more "
        "candidates, the more luck is in it. The sealed rows had no part in the choice, so their score is not."
    )
    return f"{said}.", worth


def model_page(report: Mapping[str, Any]) -> str:
    """The section of report.md; "" when the model was not chosen by hand."""
    part = report.get("model")
    if not part:
        return ""
    known = estimators().get(part["estimator"])
    lines = ["| parameter | value | meaning |", "|---|---|---|"]
    values = {name: written(value) for name, value in part["parameters"].items()}
    values |= {name: f"searched: {text}" for name, text in part["space"].items()}
    for name, text in values.items():
        meaning = known.parameters[name].meaning if known and name in known.parameters else ""
        lines.append(f"| {plain(name)} | {plain(text)} | {plain(meaning)} |")
    table = ["\n".join(lines)] if values else []
    return "\n\n".join(["## The model that was chosen", *(plain(said) for said in part["sentences"]), *table])


def model_text(report: Mapping[str, Any]) -> str:
    """What a search found, for the chat; "" without one."""
    part = report.get("model")
    return " ".join(plain(said) for said in part["sentences"][1:]) if part else ""
