"""`modelwright eval`: how well a model serves as the agents' second mind, measured on cases whose answers are known."""

import datetime
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from langchain_core.messages import HumanMessage

from agents.llm.endpoint import MODES, Endpoint, Mode
from agents.llm.spending import Allowance, Call, Spending
from agents.llm.trouble import SICK, Trouble
from agents.minds.asking import Asker
from agents.models import Models
from agents.tracing import Tracing
from chat_app.eval_suite import judging
from chat_app.eval_suite.judging import FORM_QUESTIONS, Bench, Forms, Verdict
from chat_app.eval_suite.suite import GROUPS, Case, Group, suite
from chat_app.exits import FAILED, CommandError
from sandbox.base import Limits, Sandbox, SandboxError

SPENT = "the budget of this evaluation is spent"
NO_SANDBOX = "there is no sandbox on this machine to run a script in"


@dataclass(frozen=True)
class Wanted:
    """What is evaluated, and how much of it."""

    endpoint: Endpoint
    groups: Sequence[Group] = GROUPS
    repeat: int = 1
    tokens: int = 1_000_000
    """For all cases together; what is left when they are used up is skipped."""


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    group: Group
    name: str
    passed: bool
    said: str = ""
    """What was seen instead of the right answer; "" when it is right."""
    first_try: bool = False
    """Right, and the first answer could be used as it was."""
    expert: bool | None = None
    """Whether the built-in expert is right without any model."""
    mode: Mode | None = None
    """Of the group "forms"."""
    skipped: bool = False
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    """Spent waiting for the model."""


@dataclass(frozen=True)
class Evaluation:
    """All results."""

    wanted: Wanted
    results: tuple[Result, ...]
    at: str
    sandbox: str
    """The level in which scripts ran; "" without one."""

    def of(self, group: Group) -> list[Result]:
        """What was asked of a group."""
        return [one for one in self.results if one.group == group and not one.skipped]


async def evaluate(
    wanted: Wanted,
    open_box: Callable[[], Sandbox],
    limits: Limits,
    tell: Callable[[Result], None],
    tracing: Tracing | None = None,
) -> Evaluation:
    """Ask everything, one case after the other. Raises CommandError when nobody answers at the address."""
    models = Models({"reasoning": (wanted.endpoint,), "code": (wanted.endpoint,)}, tracing=tracing or Tracing())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(models.close)
        await _greet(models)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelwright-eval-")))
        box = await _sandbox(open_box, wanted.groups, stack)
        run = _Run(wanted, models, Bench(folder, box, limits), tell)
        for group in wanted.groups:
            await run.group(group)
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return Evaluation(wanted, tuple(run.results), at, box.isolation if box else "")


async def _greet(models: Models) -> None:
    """One word, so that a wrong key ends the command and not each case."""
    found = await models.write("reasoning", [HumanMessage("Answer with the word “ready”.")], Spending())
    if isinstance(found, Trouble) and found.kind in SICK:
        raise CommandError(FAILED, f"{found.sentence} Nothing was evaluated.")


async def _sandbox(open_box: Callable[[], Sandbox], groups: Sequence[Group], stack: AsyncExitStack) -> Sandbox | None:
    if not {"answers", "repairs"} & set(groups):
        return None
    try:
        box = open_box()
    except SandboxError:
        return None
    stack.push_async_callback(box.close)
    return box


class _Run:
    """One evaluation under way."""

    def __init__(self, wanted: Wanted, models: Models, bench: Bench, tell: Callable[[Result], None]) -> None:
        self.results: list[Result] = []
        self._wanted = wanted
        self._models = models
        self._bench = bench
        self._tell = tell

    async def group(self, group: Group) -> None:
        for _ in range(self._wanted.repeat):
            if group == "forms":
                for question in FORM_QUESTIONS:
                    await self._forms(question)
            for case in suite().of(group):
                await self._case(group, case)

    async def _case(self, group: Group, case: Case) -> None:
        name = f"{case.table}: {case.name}"
        if group == "answers" and self._bench.sandbox is None:
            return self._add(Result(group, name, False, NO_SANDBOX, skipped=True))
        spending = self._spending()
        ask = Asker(self._models, spending, _nobody)
        verdict = await _JUDGES[group](case, self._bench, ask)
        if spending.calls and not _made(spending.calls):  # the gateway found that the tokens do not reach
            return self._add(Result(group, name, False, SPENT, skipped=True))
        answered = sum(call.outcome == "ok" for call in spending.calls)
        first = verdict.passed and answered == 1
        found = Result(group, name, verdict.passed, verdict.said, first, verdict.expert)
        return self._add(_with_costs(found, _made(spending.calls)))

    async def _forms(self, question: str) -> None:
        """A result for each way of asking."""
        spending = self._spending()
        ask = Forms(self._models, spending, _nobody)
        await judging.ask_forms(self._bench, ask, question)
        for mode in MODES:
            calls = [call for call in _made(spending.calls) if call.mode == mode]
            name = f"{mode.replace('_', ' ')}: {question}"
            if mode not in ask.modes and not calls:
                said = ask.troubles[-1] if ask.troubles else SPENT
                self._add(Result("forms", name, False, said, mode=mode, skipped=True))
                continue
            good = ask.modes.get(mode, False)
            said = "" if good else next((call.sentence for call in calls if call.outcome != "ok"), "not of that form")
            self._add(_with_costs(Result("forms", name, good, said, good, mode=mode), calls))

    def _spending(self) -> Spending:
        left = self._wanted.tokens - sum(one.tokens_in + one.tokens_out for one in self.results)
        return Spending(Allowance(tokens=max(0, left), seconds=None))

    def _add(self, found: Result) -> None:
        self.results.append(found)
        self._tell(found)


_JUDGES: dict[Group, Callable[[Any, Bench, Asker], Awaitable[Verdict]]] = {
    "requests": judging.judge_request,
    "refusals": judging.judge_refusal,
    "code": judging.judge_code,
    "repairs": judging.judge_repair,
    "answers": judging.judge_answer,
}


async def _nobody(call: Call) -> None:
    """What was spent is read from the account."""


def _made(calls: Sequence[Call]) -> list[Call]:
    """Those that went out."""
    return [call for call in calls if call.outcome != "no_budget"]


def _with_costs(found: Result, calls: Sequence[Call]) -> Result:
    return replace(
        found,
        calls=len(calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cost=sum(call.cost for call in calls),
        seconds=round(sum(call.seconds for call in calls), 3),
    )


def rates(results: Iterable[Result]) -> dict[str, Any]:
    """Shares and means of some results: of those that passed, of first tries, per task."""
    some = list(results)
    experts = [one.expert for one in some if one.expert is not None]
    return {
        "tasks": len(some),
        "passed": sum(one.passed for one in some),
        "first_try": sum(one.first_try for one in some),
        "expert_alone": sum(experts) if experts else None,
        "calls_per_task": _mean(one.calls for one in some),
        "tokens_in_per_task": _mean(one.tokens_in for one in some),
        "tokens_out_per_task": _mean(one.tokens_out for one in some),
        "cost_per_task": _mean(one.cost for one in some),
        "median_seconds": median(one.seconds for one in some) if some else 0.0,
    }


def _mean(values: Iterable[float]) -> float:
    some = list(values)
    return sum(some) / len(some) if some else 0.0


def as_json(found: Evaluation) -> dict[str, Any]:
    """The whole evaluation without any key."""
    endpoint = found.wanted.endpoint
    asked = {"base_url": endpoint.base_url, "model": endpoint.model, "temperature": endpoint.temperature}
    forms = {mode: rates(one for one in found.of("forms") if one.mode == mode) for mode in MODES}
    return {
        "version": 1,
        "suite": suite().version,
        "modelwright": metadata.version("modelwright"),
        "at": found.at,
        "endpoint": {**asked, "price_in": endpoint.price_in, "price_out": endpoint.price_out},
        "sandbox": found.sandbox,
        "groups": {group: rates(found.of(group)) for group in found.wanted.groups},
        "forms": forms if "forms" in found.wanted.groups else {},
        "totals": {
            "tasks": sum(not one.skipped for one in found.results),
            "skipped": sum(one.skipped for one in found.results),
            "calls": sum(one.calls for one in found.results),
            "tokens_in": sum(one.tokens_in for one in found.results),
            "tokens_out": sum(one.tokens_out for one in found.results),
            "cost": sum(one.cost for one in found.results),
        },
        "tasks": [asdict(one) for one in found.results],
    }
