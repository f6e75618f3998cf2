"""What language models may cost one run and one day, and what they have cost: tokens, money, minutes, retries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents.llm.endpoint import Endpoint, Mode, Role
from agents.llm.trouble import Trouble, TroubleKind

LETTERS_PER_TOKEN = 3.0
"""For an estimate before a call. English has about 4, JSON and code about 3; it is meant to be too high."""


class Allowance(BaseModel):
    """Upper bounds; None: none."""

    model_config = ConfigDict(frozen=True)

    tokens: int | None = Field(default=200_000, ge=0)
    money: float | None = Field(default=None, ge=0.0)
    seconds: float | None = Field(default=600.0, ge=0.0)
    """Spent waiting for models."""
    retries: int = Field(default=6, ge=0)
    """All calls of a run together."""


@dataclass(frozen=True)
class Call:
    """One request to a model and what came of it."""

    role: Role
    endpoint: str
    mode: Mode
    outcome: TroubleKind | str
    """"ok", or the kind of trouble."""
    sentence: str
    seconds: float
    tokens_in: int
    tokens_out: int
    cost: float
    bytes_out: int
    """Of the question, as it left."""
    estimated: bool = False
    """The server counted no tokens."""
    columns: int = 0
    """Columns of the table that the question names."""
    rows: int = 0
    """Rows of the table in it."""
    masked: tuple[str, ...] = ()
    """Kinds of personal data that were masked before it left."""
    pictures: int = 0
    """Pictures in it, each whole."""


@dataclass
class Spending:
    """The account of one run; `before` is what the day had cost when it began."""

    run: Allowance = field(default_factory=Allowance)
    day: Allowance = field(default_factory=lambda: Allowance(tokens=None, seconds=None, retries=1_000_000))
    before: Sequence[Call] = ()
    calls: list[Call] = field(default_factory=list)
    retries: int = 0

    @property
    def tokens(self) -> int:
        return _tokens(self.calls)

    @property
    def money(self) -> float:
        return _money(self.calls)

    @property
    def seconds(self) -> float:
        return _seconds(self.calls)

    @property
    def left(self) -> Allowance:
        """What this run may still use: the tighter one of its own bound and the day's."""
        today = (*self.before, *self.calls)
        return Allowance(
            tokens=_tightest((self.run.tokens, self.tokens), (self.day.tokens, _tokens(today))),
            money=_tightest((self.run.money, self.money), (self.day.money, _money(today))),
            seconds=_tightest((self.run.seconds, self.seconds), (self.day.seconds, _seconds(today))),
            retries=max(0, self.run.retries - self.retries),
        )

    def account(self) -> dict[str, Any] | None:
        """For a report: what the run's calls were and cost, in all and by role; None when nobody was asked."""
        made = [call for call in self.calls if call.outcome != "no_budget"]
        if not made:
            return None
        roles = dict.fromkeys(call.role for call in made)
        reached = next((call.sentence for call in self.calls if call.outcome == "no_budget"), None)
        return {
            **_summed(made),
            "by_role": {role: _summed([call for call in made if call.role == role]) for role in roles},
            "endpoints": list(dict.fromkeys(call.endpoint for call in made)),
            "estimated": any(call.estimated for call in made),
            "columns": max(call.columns for call in made),
            "rows": max(call.rows for call in made),
            "masked": sorted({kind for call in made for kind in call.masked}),
            "budget_reached": reached,
        }

    def check(self, endpoint: Endpoint, letters: int, answer_tokens: int = 1000) -> None:
        """Before a call of about `letters` letters. Raises Trouble("no_budget") when it would go beyond a bound."""
        tokens = estimated_tokens(letters)
        price = endpoint.cost(tokens, answer_tokens)
        for bound, spent, words in (
            (self.run, self.calls, "this run"),
            (self.day, (*self.before, *self.calls), "today"),
        ):
            if bound.tokens is not None and _tokens(spent) + tokens + answer_tokens > bound.tokens:
                raise _over(words, f"{bound.tokens:,} tokens", f"{_tokens(spent):,} are used")
            if bound.money is not None and _money(spent) + price > bound.money:
                raise _over(words, f"{bound.money:g} in money", f"{_money(spent):.4g} is spent")
            if bound.seconds is not None and _seconds(spent) >= bound.seconds:
                raise _over(words, f"{bound.seconds:g} s of waiting for models", f"{_seconds(spent):.0f} s have passed")

    def may_retry(self) -> bool:
        """Whether one more retry is left; it is counted."""
        if self.retries >= self.run.retries:
            return False
        self.retries += 1
        return True


def estimated_tokens(letters: int) -> int:
    """An upper guess."""
    return int(letters / LETTERS_PER_TOKEN) + 1


def _tokens(calls: Sequence[Call]) -> int:
    return sum(call.tokens_in + call.tokens_out for call in calls)


def _money(calls: Sequence[Call]) -> float:
    return sum(call.cost for call in calls)


def _seconds(calls: Sequence[Call]) -> float:
    return sum(call.seconds for call in calls)


def _tightest(*bounds: tuple[float | None, float]) -> Any:
    left = [max(0, bound - spent) for bound, spent in bounds if bound is not None]
    return min(left, default=None)


def _summed(calls: Sequence[Call]) -> dict[str, Any]:
    return {
        "calls": len(calls),
        "failed": sum(call.outcome != "ok" for call in calls),
        "tokens_in": sum(call.tokens_in for call in calls),
        "tokens_out": sum(call.tokens_out for call in calls),
        "tokens": _tokens(calls),
        "money": _money(calls),
        "seconds": round(_seconds(calls), 3),
        "bytes_out": sum(call.bytes_out for call in calls),
    }


def _over(words: str, bound: str, spent: str) -> Trouble:
    return Trouble("no_budget", f"The models' budget for {words} ({bound}) does not hold for this question: {spent}.")
