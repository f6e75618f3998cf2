"""Says what cleaning a table means here: nothing in the table is changed, a model's script prepares its columns."""

from agents.data_scientist import propose
from agents.language.words import normalise
from agents.parser import parse
from agents.plan import Plan
from agents.state import Request
from tools.contract import Contract, ContractError
from tools.markdown import plain
from tools.profile import Profile
from tools.schema import Schema

MOST_NAMES = 8
MOST_WARNINGS = 6


def preparation(profile: Profile, contract: Contract | None) -> str:
    """What is found and what is done about it, column by column where the target is known (Markdown)."""
    lines = [
        "Nothing in your table is changed. A model's script prepares the columns by itself, and learns how from the "
        "training rows alone, so that the rows which judge it teach it nothing."
    ]
    found = [f"- {plain(str(warning))}" for warning in list(profile.warnings)[:MOST_WARNINGS]]
    lines += ["", "What stands out in the table:", "", *found] if found else ["", "Nothing in the table stands out."]
    if contract is None:
        return "\n".join([*lines, "", "What is done for each column stands in the plan, once you say what to predict."])
    steps, out = dict[str, list[str]](), list[str]()
    for column in contract.columns:
        if column.use:
            for step in column.steps or ("as it is",):
                steps.setdefault(step, []).append(column.name)
        else:
            out.append(f"- left out: {plain(column.name)}. {plain(column.reason)}")
    done = [f"- {plain(step)}: {_some(names)}" for step, names in steps.items()]
    lines += ["", f"To predict {plain(contract.target)}, the plan is:", "", *done, *out[:MOST_NAMES]]
    if len(out) > MOST_NAMES:
        lines.append(f"- and {len(out) - MOST_NAMES:,} more columns are left out")
    return "\n".join([*lines, "", "You see it again in the plan of the model, and can change it there."])


def contract_ahead(plan: Plan | None, profile: Profile, schema: Schema) -> Contract | None:
    """A draft for the first model that the plan comes to; None when its words alone do not make one."""
    texts = [step.text for step in plan.steps if step.kind == "model" and step.status == "waiting"] if plan else []
    for text in texts[:1]:
        request = parse(normalise(text), schema)
        if isinstance(request, Request) and request.target is not None:
            try:
                return propose(request, profile, budget_seconds=60.0, seed=0)
            except ContractError:
                return None
    return None


def _some(names: list[str]) -> str:
    shown = ", ".join(plain(name) for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES:,} more"
