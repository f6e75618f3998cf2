"""Blueprints at work: whether a table looks like one, what the sentence says of it, and what the contract gets."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.language.words import quoted
from agents.planning.columns import EDITED_IN, check_features
from agents.planning.split import NEEDS_COLUMN, check_split
from agents.state import Question, Request
from tools.blueprints.matching import Match, best, match
from tools.blueprints.model import Blueprint, Feature
from tools.blueprints.quality import quality
from tools.blueprints.shelf import Shelf
from tools.contract import BlueprintPart, ColumnPlan, Contract, ContractError, Derived, Split, Stated
from tools.profile import Profile

OFF = "none"
"""`Request.blueprint` of a user who wants none."""
LATE = "Known only with the answer."
_NOT = re.compile(
    r"[,;.]?\s*(?:\b(?:and|but|please|try|do\s+it|run\s+it|again|use)\s+)*"
    r"\b(?:without|no|(?:do\s+)?not|drop|skip|leave\s+out|ignore|remove)\s+(?:using\s+)?(?:the\s+|a\s+|any\s+)?"
    r"(?:[\w-]+\s+){0,3}?blueprints?\b[\s.!]*",
    re.IGNORECASE,
)
_WITH = re.compile(
    r"[,;.]?\s*(?:\b(?:and|please|try|run|again)\s+)*\b(?:use|using|with|apply|take|by|from)\s+(?:the\s+|a\s+)?"
    r"(?:(?P<before>(?:[\w-]+\s+){1,3}?)blueprint\b|"
    r"blueprint\s+[\"“']?(?P<after>[\w -]{3,40}?)[\"”']?(?=[,.;!]|$))[\s.!]*",
    re.IGNORECASE,
)


def wish(text: str) -> tuple[str | None, str]:
    """What a sentence says of blueprints (a name, `OFF` or None), and the rest of the sentence."""
    if found := _NOT.search(text):
        return OFF, _rest(text, found)
    if found := _WITH.search(text):
        return (found["before"] or found["after"]).strip(), _rest(text, found)
    return None, text


def _rest(text: str, found: re.Match[str]) -> str:
    joined = " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())
    return re.sub(r"\s+([,;.])", r"\1", joined).strip(" ,;")


def choose(request: Request, profile: Profile, shelf: Shelf) -> tuple[Match | None, tuple[str, ...]]:
    """The blueprint for a request and what has to be said: a named one, else the best that fits well."""
    problems = shelf.problems
    if request.blueprint == OFF:
        return None, ()
    if request.blueprint is None:
        return best(shelf.blueprints, profile, target=request.target), problems
    named = shelf.named(request.blueprint)
    if named is None:
        there = quoted([one.name for one in shelf.blueprints])
        return None, (*problems, f"There is no blueprint “{request.blueprint}”; there are {there}.")
    return _named(named, request, profile, problems)


def _named(
    blueprint: Blueprint, request: Request, profile: Profile, problems: tuple[str, ...]
) -> tuple[Match | None, tuple[str, ...]]:
    """Who names a blueprint may use it for a target that is called otherwise, but not for any table."""
    found = match(blueprint, profile, target=request.target)
    if not any(_sources(feature, found) for feature in blueprint.features) and found.telling < 1:
        said = f"The blueprint “{blueprint.title}” does not fit: the table has none of the columns that it works with."
        return None, (*problems, said)
    return found, problems


def settled(understood: Request | Question, profile: Profile, shelf: Shelf) -> Request | Question:
    """A question for the target is answered by the blueprint that the table looks like, or that was named."""
    if not isinstance(understood, Question) or understood.field != "target":
        return understood
    found, _ = choose(understood.so_far, profile, shelf)
    if found is None or found.target is None or found.target in understood.so_far.exclude:
        return understood
    said = f"I predict “{found.target}”, the target of the blueprint “{found.blueprint.title}”."
    so_far = understood.so_far
    return so_far.model_copy(update={"target": found.target, "assumptions": (*so_far.assumptions, said)})


def with_defaults(request: Request, found: Match | None, profile: Profile) -> Request:
    """The request with the blueprint's defaults where the user said nothing."""
    if found is None or request.target is None:
        return request
    defaults, update = found.blueprint.contract, dict[str, Any]()
    if request.metric is None and defaults.metric is not None:
        update["metric"] = defaults.metric
    column = profile.column(request.target) if request.target in profile.names else None
    if request.positive_class is None and column is not None and column.top_complete:
        words = {word.casefold() for word in defaults.positive}
        labels = [item.value for item in column.top if item.value.casefold() in words]
        if len(labels) == 1 and column.distinct == 2:
            update["positive_class"] = labels[0]
    return request.model_copy(update=update)


def attached(
    contract: Contract, found: Match | None, request: Request, profile: Profile, table: Path, earlier: Contract | None
) -> Contract:
    """The contract with the blueprint's columns, reasons and report; edits of an earlier contract stay."""
    if found is None:
        return contract.model_copy(update={"blueprint": None})
    blueprint = found.blueprint
    columns = tuple(_judged(column, found, request) for column in contract.columns)
    check_features(columns, contract.target)
    derived, skipped = _derived(found, profile)
    dataset_quality, parts = quality(found, profile, table, skipped)
    sentence = _sentence(found, len(derived), named=request.blueprint is not None)
    kinds = tuple((column, blueprint.columns[name].kind) for name, column in found.columns.items())
    part = BlueprintPart(
        name=blueprint.name,
        title=blueprint.title,
        sentence=sentence,
        matched=tuple(found.columns.items()),
        kinds=kinds,
        derived=derived,
        code=blueprint.code,
        quality=dataset_quality,
        quality_parts=parts,
        action=blueprint.acting.action if blueprint.acting else "",
        value_column=_value_column(found, profile),
        stated=_stated(blueprint),
        within=blueprint.within,
        sections=tuple((section.title, section.text) for section in blueprint.report),
    )
    part = _with_edits(part, earlier.blueprint if earlier else None)
    update: dict[str, Any] = {"columns": columns, "blueprint": part, "split": _split(contract, found, request, profile)}
    if blueprint.contract.cost_of_errors and request.metric in (None, blueprint.contract.metric):
        update["cost_of_errors"] = blueprint.contract.cost_of_errors
    update["assumptions"] = tuple(dict.fromkeys((sentence, *contract.assumptions)))
    return contract.model_copy(update=update)


def _split(contract: Contract, found: Match, request: Request, profile: Profile) -> Split:
    """By time where the blueprint wants it and neither the user nor the rows have said anything else."""
    split, defaults = contract.split, found.blueprint.contract
    name = found.columns.get(defaults.split_column or "")
    if defaults.split is None or name is None or request.split_rule is not None or split.rule in NEEDS_COLUMN:
        return split
    try:
        check_split("time", name, profile, contract.target, contract.task)
    except ContractError:
        return split
    reason = f"The blueprint “{found.blueprint.title}” judges by the latest rows, by “{name}”."
    return split.model_copy(update={"rule": "time", "column": name, "reason": reason, "ordered_by": name})


def _judged(column: ColumnPlan, found: Match, request: Request) -> ColumnPlan:
    """What is known only with the answer is no feature, unless the user insists."""
    name = next((canonical for canonical, own in found.columns.items() if own == column.name), None)
    if name is None or not found.blueprint.columns[name].after_outcome or not column.use:
        return column
    if column.name in request.include or column.reason == EDITED_IN:
        return column
    meaning = found.blueprint.columns[name].meaning
    return ColumnPlan(name=column.name, role=column.role, use=False, reason=f"{LATE} {meaning}")


def _derived(found: Match, profile: Profile) -> tuple[tuple[Derived, ...], tuple[str, ...]]:
    """(computed columns, names of those that cannot be computed)."""
    made, skipped = [], []
    for feature in found.blueprint.features:
        sources = _sources(feature, found)
        if not sources or feature.name in profile.names:
            skipped.append(feature.name)
            continue
        kind = "category" if feature.name in found.blueprint.categories else "number"
        made.append(
            Derived.model_validate(
                {
                    "name": feature.name,
                    "role": kind,
                    "sources": tuple(sources.items()),
                    "needs": feature.needs,
                    "meaning": feature.meaning,
                }
            )
        )
    return tuple(made), tuple(skipped)


def _sources(feature: Feature, found: Match) -> dict[str, str]:
    """Parameter -> column of the table; empty when something that is needed is not there."""
    if any(name not in found.columns for name in feature.needs):
        return {}
    return {name: found.columns[name] for name in (*feature.needs, *feature.uses) if name in found.columns}


def _value_column(found: Match, profile: Profile) -> str | None:
    names = found.blueprint.acting.value_from if found.blueprint.acting else ()
    there = [found.columns[name] for name in names if name in found.columns]
    return next((name for name in there if profile.column(name).is_numeric), None)


def _stated(blueprint: Blueprint) -> tuple[Stated, ...]:
    if blueprint.acting is None:
        return ()
    acting = blueprint.acting
    named = {"cost": acting.cost, "success": acting.success, "factor": acting.factor, "value": acting.value}
    return tuple(Stated(name=name, value=one.value, meaning=one.meaning) for name, one in named.items())


def _with_edits(part: BlueprintPart, earlier: BlueprintPart | None) -> BlueprintPart:
    if earlier is None or earlier.name != part.name:
        return part
    off = {one.name for one in earlier.derived if not one.use}
    values = {one.name: one.value for one in earlier.stated}
    return part.model_copy(
        update={
            "derived": tuple(one.model_copy(update={"use": one.name not in off}) for one in part.derived),
            "stated": tuple(one.model_copy(update={"value": values.get(one.name, one.value)}) for one in part.stated),
        }
    )


def _sentence(found: Match, derived: int, *, named: bool) -> str:
    """ "This looks like customer churn: 17 of 19 columns match; seven columns are computed from them; …" """
    title = found.blueprint.title
    start = f"The blueprint “{title}” is used" if named else f"This looks like {title[:1].lower()}{title[1:]}"
    computed = f"{derived} column{'' if derived == 1 else 's'} {'is' if derived == 1 else 'are'} computed from them"
    said = (
        f"{start}: {found.known} of {found.of} columns match; {computed}; say “without the blueprint” to leave it out."
    )
    return said


def offer(profile: Profile, shelf: Shelf) -> str:
    """A sentence for someone who has only brought a table; "" when it looks like no blueprint."""
    found = best(shelf.blueprints, profile)
    if found is None:
        return ""
    title, made = found.blueprint.title, _derived(found, profile)[0]
    return (
        f"This looks like {title[:1].lower()}{title[1:]}: {found.known} of {found.of} columns match, and "
        f"{len(made)} more can be computed from them. Say “predict {found.target}” and I use that blueprint, or add "
        "“without the blueprint”."
    )


# ---- edits at the gate


def edited(contract: Contract, change: object) -> Contract:
    """`no`, or {computed column: yes or no, stated number: number}; `ContractError` for what does not fit."""
    part = contract.blueprint
    if part is None:
        if change is None or _flag(change) is False:
            return contract
        raise ContractError("This contract has no blueprint; say “use the … blueprint”.")
    if _flag(change) is False or change is None:
        return _without(contract)
    if _flag(change) is True:
        return contract
    if not isinstance(change, Mapping):
        raise ContractError("The field blueprint is no, or it names computed columns and stated numbers.")
    if "derived" in change or "stated" in change:  # the whole part, as it was shown
        change = _flat(change)
    for name, value in change.items():
        if name == "use":
            contract = contract if _flag(value) else _without(contract)
        elif contract.blueprint is not None:
            contract = contract.model_copy(update={"blueprint": _one_edit(contract.blueprint, name, value)})
    return contract


def _flat(whole: Mapping[str, Any]) -> dict[str, Any]:
    try:
        switched = {one["name"]: one["use"] for one in whole.get("derived", ())}
        return switched | {one["name"]: one["value"] for one in whole.get("stated", ())}
    except (TypeError, KeyError) as error:
        raise ContractError("The field blueprint is no, or it names computed columns and stated numbers.") from error


def _without(contract: Contract) -> Contract:
    assert contract.blueprint is not None
    said = tuple(one for one in contract.assumptions if one != contract.blueprint.sentence)
    return contract.model_copy(update={"blueprint": None, "assumptions": said})


def _one_edit(part: BlueprintPart, name: str, value: object) -> BlueprintPart:
    if name in {one.name for one in part.derived}:
        on = _flag(value)
        if on is None:
            raise ContractError(f"Whether “{name}” is computed has to be yes or no.")
        made = tuple(one.model_copy(update={"use": on}) if one.name == name else one for one in part.derived)
        return part.model_copy(update={"derived": made})
    if name in {one.name for one in part.stated}:
        number = _number(name, value)
        stated = tuple(one.model_copy(update={"value": number}) if one.name == name else one for one in part.stated)
        return part.model_copy(update={"stated": stated})
    known = quoted([*(one.name for one in part.derived), *(one.name for one in part.stated)])
    raise ContractError(f"The blueprint has no “{name}”; it has {known}.")


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    return words.get(value.strip().lower()) if isinstance(value, str) else None


def _number(name: str, value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e12 or (name == "success" and number > 1):
        most = "1" if name == "success" else "a trillion"
        raise ContractError(f"The number “{name}” has to be from 0 to {most}, not {value}.")
    return number


def kept(before: Contract, after: Contract) -> Contract:
    """An edit that made the contract anew keeps the blueprint as long as its target stays."""
    part = before.blueprint
    if part is None or before.target != after.target:
        return after
    late = {column.name: column for column in before.columns if column.reason.startswith(LATE)}
    columns = tuple(column if column.reason == EDITED_IN else late.get(column.name, column) for column in after.columns)
    anew = after.blueprint is None and after.assumptions != before.assumptions
    said = tuple(dict.fromkeys((part.sentence, *after.assumptions))) if anew else after.assumptions
    return after.model_copy(update={"blueprint": after.blueprint or part, "columns": columns, "assumptions": said})
