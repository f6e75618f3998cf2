"""What language models will probably be asked once a plan is approved, and what that costs, in one sentence."""

from dataclasses import dataclass

from agents.llm.endpoint import Role
from agents.llm.spending import Allowance, Spending
from agents.models import Models
from tools.contract import Contract


@dataclass(frozen=True)
class Need:
    """One mind's usual share of a run, as measured with a scripted model (benchmarks/model_tokens.py)."""

    role: Role
    calls: int
    tokens_in: int
    """Of all its calls, without columns."""
    tokens_out: int
    per_column: int = 0
    """Tokens that each column of the plan adds to one question."""


RESULT_READ = Need("reasoning", 1, 1_900, 150, 6)
RESULT_TOLD = Need("reasoning", 1, 1_600, 250, 6)
SEARCH = Need("code", 3, 10_000, 2_500, 20)


def forecast(contract: Contract, models: Models, spending: Spending) -> str:
    """How often, how many tokens, how much money; "" where nobody will be asked."""
    planned = [RESULT_READ, RESULT_TOLD, *([SEARCH] if contract.improve_seconds is not None else [])]
    needs = [need for need in planned if models.has(need.role)]
    if not needs:
        return ""
    columns = len(contract.features) + 1
    calls = sum(need.calls for need in needs)
    tokens_in = {need: need.tokens_in + need.calls * need.per_column * columns for need in needs}
    tokens = sum(tokens_in[need] + need.tokens_out for need in needs)
    cost = sum(models.roles[need.role][0].cost(tokens_in[need], need.tokens_out) for need in needs)
    head = f"about {calls} questions in the rest of this run, some {_rounded(tokens):,} tokens{_money(cost)}"
    return f"{head}; {_bound(tokens, cost, spending)}."


def _bound(tokens: int, cost: float, spending: Spending) -> str:
    """What may still be used, and whether it will do."""
    left = spending.left
    allowed = [f"{left.tokens:,} tokens"] if left.tokens is not None else []
    allowed += [f"{left.money:.2g} in money"] if left.money is not None else []
    if not allowed:
        return "there is no bound on them"
    said = f"they may use {' and '.join(allowed)}"
    return f"{said}, so the built-in experts will do a part of it" if _too_much(tokens, cost, left) else said


def _too_much(tokens: int, cost: float, left: Allowance) -> bool:
    return (left.tokens is not None and tokens > left.tokens) or (left.money is not None and cost > left.money)


def _rounded(tokens: int) -> int:
    """It is a forecast: two digits."""
    return int(float(f"{tokens:.2g}"))


def _money(cost: float) -> str:
    return f", about {cost:,.2f} in money" if cost >= 0.1 else f", about {cost:.2g} in money" if cost else ""
