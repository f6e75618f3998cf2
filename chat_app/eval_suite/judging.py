"""Asks one case through the product's own minds and holds the outcome against what is known to be right."""

import asyncio
import difflib
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from agents.code_generator import training_seconds, write
from agents.data_scientist import propose
from agents.language.filling import Outcome
from agents.llm.egress import NOTHING, Shown, shown
from agents.llm.endpoint import Mode, Role
from agents.minds import analyst
from agents.minds.asking import Asker, Heard
from agents.minds.code_generator import Task, rewrite
from agents.minds.parser import understand
from agents.parser import parse
from agents.state import Question, Request
from chat_app.eval_suite.suite import AnswerCase, CodeCase, RefusalCase, RepairCase, RequestCase, forest
from sandbox.base import Job, Limits, Sandbox
from sandbox.base import Outcome as Ended
from tools.analysis import AnalysisError, read_analysis
from tools.contract import Contract
from tools.ingest import Dataset, ingest
from tools.lint import check
from tools.profile import Profile, profile
from tools.samples import write_sample
from tools.schema import Schema, schema_of

T = TypeVar("T", bound=BaseModel)
NEAR = 1e-3
"""Relative distance within which a number counts as the one that is known."""
BUDGET_SECONDS = 30.0


@dataclass(frozen=True)
class Verdict:
    """Whether the outcome is right; if not, what was seen."""

    passed: bool
    said: str = ""
    expert: bool | None = None
    """Whether the built-in expert is right without any model; None: it has no part in this."""


@dataclass(frozen=True)
class Table:
    """A sample as the minds know it."""

    dataset: Dataset
    profile: Profile
    schema: Schema


@dataclass
class Bench:
    """Where cases are tried: tables, each read once, and a sandbox where there is one."""

    folder: Path
    sandbox: Sandbox | None
    limits: Limits
    _tables: dict[str, Table] = field(default_factory=dict)

    async def table(self, name: str) -> Table:
        """The sample, profiled."""
        if name not in self._tables:
            self._tables[name] = await asyncio.to_thread(_read, name, self.folder)
        return self._tables[name]

    async def run(self, script: str, inputs: Mapping[str, Path]) -> tuple[Ended, Path]:
        """How a script ended in the sandbox, and the folder of what it has left."""
        assert self.sandbox is not None, "asked for only where there is one"
        outputs = self.folder / uuid.uuid4().hex
        outputs.mkdir(parents=True)
        items = [
            item async for item in self.sandbox.run(Job(f"eval-{outputs.name}", script, inputs, outputs, self.limits))
        ]
        ended = items[-1]
        assert isinstance(ended, Ended), "a sandbox ends with its outcome"
        return ended, outputs


def _read(name: str, folder: Path) -> Table:
    dataset = ingest(write_sample(name, folder / "uploads"), folder / "data")
    found = profile(dataset)
    return Table(dataset, found, schema_of(found, dataset))


# ---- requests and refusals


async def judge_request(case: RequestCase, bench: Bench, ask: Asker) -> Verdict:
    """What the parser's mind makes of a message; what the expert alone makes of it, beside."""
    table = await bench.table(case.table)
    earlier = Request(kind="model", text="", **case.earlier) if case.earlier else None
    alone = parse(case.text, table.schema, earlier)
    reading = await understand(case.text, table.schema, alone, ask, earlier)
    expert = not differs(alone, case.expect)
    if reading.said:
        return Verdict(False, _why(reading.said), expert)
    problem = differs(reading.outcome, case.expect)
    return Verdict(not problem, problem, expert)


async def judge_refusal(case: RefusalCase, bench: Bench, ask: Asker) -> Verdict:
    """Right is to say that it cannot be done, or to ask; wrong is any model."""
    table = await bench.table(case.table)
    alone = parse(case.text, table.schema)
    reading = await understand(case.text, table.schema, alone, ask)
    if reading.said:
        return Verdict(False, _why(reading.said), _declines(alone))
    said = "" if _declines(reading.outcome) else f"takes it for {_in_words(reading.outcome)}"
    return Verdict(not said, said, _declines(alone))


def _why(said: str) -> str:
    return said.removesuffix(" The built-in expert decides.")


def differs(found: Outcome, expect: Mapping[str, Any]) -> str:
    """The first field that is not as expected; "" when all are."""
    if isinstance(found, Question):
        return f"asks: {found.text}"
    for name, wanted in expect.items():
        got = getattr(found, name)
        same = sorted(got) == sorted(wanted) if isinstance(wanted, list) else got == wanted
        if not same:
            return f"{name} is {list(got) if isinstance(got, tuple) else got!r}, right is {wanted!r}"
    return ""


def _declines(found: Outcome) -> bool:
    return isinstance(found, Question) or found.kind in ("unsupported", "help")


def _in_words(found: Outcome) -> str:
    return "a question" if isinstance(found, Question) else f"{found.kind} of {found.target!r}"


# ---- code and repairs


async def judge_code(case: CodeCase, bench: Bench, ask: Asker) -> Verdict:
    """A change of the recipe: it passes the critic (the mind sees to that) and does what was asked for."""
    contract, table = await _contract(case.table, case.target, bench)
    before = write(contract).code
    task = Task(
        before, contract, shown(table.schema, [contract.target]), training_seconds(BUDGET_SECONDS), wish=case.text
    )
    found = await rewrite(task, ask)
    if found.trouble:
        return Verdict(False, found.trouble)
    if found.about != case.about:
        return Verdict(False, f"takes the wish to be about the {found.about}, right is the {case.about}")
    added = _added(before, found.code) if found.code else ""
    missing = [word for word in case.must if word not in added]
    return Verdict(not missing, f"the new lines hold no {missing[0]!r}" if missing else "")


async def judge_repair(case: RepairCase, bench: Bench, ask: Asker) -> Verdict:
    """A defect: the critic has nothing against the repaired script, the defect is gone and, in a sandbox, it runs."""
    contract, table = await _contract(case.table, case.target, bench)
    broken = forest().replace(case.search, case.replace)
    findings = await asyncio.to_thread(
        lambda: check(broken, target=contract.target, features=contract.features, classes=contract.classes)
    )
    task = Task(
        broken,
        contract,
        shown(table.schema, [contract.target]),
        training_seconds(BUDGET_SECONDS),
        values=contract.classes,
        findings=() if case.stderr else tuple(one for one in findings if one.blocks),
        stderr=case.stderr,
        ended="The script ended with an error." if case.stderr else "",
    )
    found = await rewrite(task, ask)
    if found.trouble:
        return Verdict(False, found.trouble)
    if (case.gone or case.replace.strip()) in found.code or not found.code:
        return Verdict(False, "the defect is still there")
    return await _runs(found.code, table, bench)


async def _runs(script: str, table: Table, bench: Bench) -> Verdict:
    if bench.sandbox is None:
        return Verdict(True)
    ended, outputs = await bench.run(script, {"train.parquet": table.dataset.path})
    if ended.ok and not (outputs / "model.joblib").is_file():
        return Verdict(False, "the repaired script left no model")
    return Verdict(ended.ok, "" if ended.ok else f"the repaired script does not run: {ended.message}")


async def _contract(name: str, target: str, bench: Bench) -> tuple[Contract, Table]:
    table = await bench.table(name)
    request = Request(kind="model", text="", target=target)
    return propose(request, table.profile, budget_seconds=BUDGET_SECONDS, seed=0), table


def _added(before: str, after: str) -> str:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return "\n".join(line[2:] for line in lines if line.startswith("+ "))


# ---- answers


async def judge_answer(case: AnswerCase, bench: Bench, ask: Asker) -> Verdict:
    """A script of the model, run in the sandbox; the number that is known has to be among those that it computed."""
    table = await bench.table(case.table)
    asked = analyst.Asked(case.text, shown(table.schema), table.schema.names, table.profile.rows)
    found = await analyst.write(asked, ask)
    if found.trouble:
        return Verdict(False, found.trouble)
    if case.unanswerable or not found.code:
        right = case.unanswerable and not found.code
        return Verdict(right, "" if right else "answers what the table does not hold" if found.code else found.missing)
    ended, outputs = await bench.run(found.code, {"table.parquet": table.dataset.path})
    if not ended.ok:
        return Verdict(False, f"its script does not run: {ended.message}")
    try:
        numbers = list((await asyncio.to_thread(read_analysis, outputs, "eval")).answer.numbers.values())
    except AnalysisError as problem:
        return Verdict(False, str(problem))
    if any(math.isclose(one, right, rel_tol=NEAR) for one in numbers for right in case.numbers):
        return Verdict(True)
    return Verdict(False, f"computes {', '.join(f'{one:g}' for one in numbers[:5]) or 'no number'}; {_right(case)}")


def _right(case: AnswerCase) -> str:
    return f"right is {' or '.join(f'{one:g}' for one in case.numbers)}"


# ---- forms


@dataclass(frozen=True)
class Forms(Asker):
    """Asks whatever a mind asks in each way of asking for a form, once, and gives the mind nothing."""

    modes: dict[Mode, bool] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    async def decide(
        self,
        role: Role,
        messages: Sequence[BaseMessage],
        schema: type[T],
        check: Callable[[T], str] = lambda _: "",
        about: Shown = NOTHING,
    ) -> Heard[T]:
        found, trouble = await self.models.probe(role, messages, schema, self.spending)
        self.modes.update(found)
        self.troubles.extend([str(trouble)] if trouble else [])
        return Heard(None, trouble="not asked")


async def ask_forms(bench: Bench, ask: Forms, question: str) -> None:
    """One of the minds' questions; what came of it stands in `ask`."""
    contract, table = await _contract("iris", "species", bench)
    match question:
        case "a request":
            text = "Which sort of flower will it be?"
            await understand(text, table.schema, parse(text, table.schema), ask)
        case "an edit":
            wish = "Grow 500 trees."
            await rewrite(Task(forest(), contract, shown(table.schema), BUDGET_SECONDS, contract.classes, wish), ask)
        case _:
            question = "What is the mean sepal length?"
            asked = analyst.Asked(question, shown(table.schema), table.schema.names, table.profile.rows)
            await analyst.write(asked, ask)


FORM_QUESTIONS = ("a request", "an edit", "a script")
