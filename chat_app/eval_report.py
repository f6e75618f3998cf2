"""What `modelwright eval` prints: a line for each task as it is done, then the table of rates."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.llm.endpoint import MODES
from chat_app.eval_suite.suite import ABOUT
from chat_app.evaluating import Evaluation, Result, rates
from chat_app.meter import money
from chat_app.printable import printable
from tools.ingest.errors import counted

MOST_SAID = 160
LEGEND = (
    "right: of the tasks asked; at once: right without a second answer; expert: right by the built-in expert alone; "
    "calls, tokens in and out, money: means per task; s: median seconds"
)


def show_result(found: Result, console: Console) -> None:
    """One line: how it went, what it took, what was seen instead of the right answer."""
    mark, style = ("•", "yellow") if found.skipped else ("✓", "green") if found.passed else ("✗", "red")
    spent = f"{counted(found.calls, 'call')}, {counted(found.tokens_in + found.tokens_out, 'token')}"
    cost = f"{spent}{money(found.cost)}, {found.seconds:.1f} s"
    head = Text.assemble((f"{mark} ", style), (f"{found.group:8} ", "bold"), printable(found.name))
    told = "" if found.skipped else f"  ({cost})"
    said = f"  {_cut(printable(found.said))}" if found.said else ""
    console.print(Text.assemble(head, (told, "dim"), said), soft_wrap=True)


def show_evaluation(found: Evaluation, console: Console) -> None:
    """The table by group, for forms also by the way of asking, and what was skipped."""
    console.print()
    console.print(Text(f"{printable(found.wanted.endpoint.name)}", style="bold"))
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("", "right", "at once", "expert", "calls", "in", "out", "money", "s"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for group in found.wanted.groups:
        table.add_row(Text(group, style="bold"), *_cells(rates(found.of(group))))
        if group == "forms":
            for mode in MODES:
                by_mode = [one for one in found.of(group) if one.mode == mode]
                table.add_row(f"  {mode.replace('_', ' ')}", *_cells(rates(by_mode)))
    console.print(table)
    console.print(Text(LEGEND, style="dim"), soft_wrap=True)
    for group in found.wanted.groups:
        console.print(Text(f"{group}: {ABOUT[group]}", style="dim"), soft_wrap=True)
    for line in _left_out(found.results):
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _cells(found: Mapping[str, Any]) -> list[str]:
    if not found["tasks"]:
        return ["not asked", *[""] * 7]
    alone = "" if found["expert_alone"] is None else f"{found['expert_alone']} of {found['tasks']}"
    return [
        f"{found['passed']} of {found['tasks']}",
        f"{found['first_try']} of {found['tasks']}",
        alone,
        f"{found['calls_per_task']:.1f}",
        f"{found['tokens_in_per_task']:,.0f}",
        f"{found['tokens_out_per_task']:,.0f}",
        money(found["cost_per_task"]).removeprefix(", ") or "–",
        f"{found['median_seconds']:.1f}",
    ]


def _left_out(results: Iterable[Result]) -> list[str]:
    reasons: dict[str, int] = {}
    for one in results:
        if one.skipped:
            reasons[one.said] = reasons.get(one.said, 0) + 1
    return [f"{counted(number, 'task')} skipped: {_cut(printable(said))}" for said, number in reasons.items()]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_SAID else f"{line[: MOST_SAID - 1]}…"
