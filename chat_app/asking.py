"""The gates on the command line: show what waits, ask, and turn the answer into a `Decision`."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agents.events import WaitingConfirmation
from agents.state import Decision, Gate
from chat_app.printable import printable
from chat_app.terminal import AUTHORS, metric_title, show_facts
from tools.blueprints.page import blueprint_facts
from tools.ingest.errors import counted
from tools.models.page import model_facts

MAX_COLUMNS_SHOWN = 40
MAX_LINES_SHOWN = 60
"""Of a script, before it is asked for as a whole."""
CHOICES: Mapping[Gate, str] = {
    "contract": "[a]pprove, approve a[l]l that follows, [e]dit, [r]eject",
    "code": "[a]pprove, approve a[l]l that follows, [s]how it all, [e]dit, [r]eject",
    "blocked": "[a]pprove, [s]how it all, [e]dit, [r]eject",
    "question": "the number of a choice, or your own words",
}
EDIT_HELP = (
    "One change per line as name=value, an empty line when done. For example: metric=log_loss, "
    "budget_seconds=120, split.rule=time, split.column=date, candidates=linear,lightgbm, profile=compact, "
    "costs=FP=1,FN=5, columns.zip_code.use=no. A model of your choice: model=random_forest, model.n_estimators=500, "
    "model.space.max_depth=3..12, model.search=optuna, model.trials=30, model.template=imbalanced, model.save_as=NAME, "
    "model=no for ours. With a blueprint: blueprint=no, blueprint.tenure_group=no, blueprint.cost=5"
)


PROFILES: Mapping[str, str] = {
    "compact": "compact: one model, under 5 MB and quick to ask",
    "explainable": "explainable: one model that a person can read, and what that costs",
}


class Interrupted(Exception):
    """The person pressed Ctrl-C, closed the input or the terminal, or the process was told to end, at a question."""


def ask(waiting: WaitingConfirmation, console: Console, read: Callable[[str], str]) -> Decision:
    """Show the gate and return what the person decides; `read` shows a prompt and returns a line.

    Raises `Interrupted`.
    """
    console.print()
    console.print(Rule(Text(printable(waiting.title)), align="left", style="cyan"))
    show_gate(waiting.gate, waiting.payload, console)
    with _signals_interrupt():
        while True:
            decision = _decision(waiting, console, read)
            if decision is not None:
                return decision
            console.print(f"Please answer with {CHOICES[waiting.gate]}.", markup=False, highlight=False)


def show_gate(gate: Gate, payload: Mapping[str, Any], console: Console) -> None:
    """What the person has to know before deciding."""
    if gate == "question":
        for number, choice in enumerate(payload["choices"], start=1):
            console.print(f"  {number}. {printable(choice)}", markup=False, highlight=False)
    elif gate == "contract":
        _show_contract(payload, console)
    else:
        _show_code(payload, console)


def _decision(waiting: WaitingConfirmation, console: Console, read: Callable[[str], str]) -> Decision | None:
    if waiting.gate == "question":
        return _answer(read("Your answer: ").strip(), waiting.payload["choices"], console)
    said = read(f"{CHOICES[waiting.gate]}: ").strip().lower()
    if said in ("a", "approve", "y", "yes"):
        return Decision(action="approve")
    if said in ("l", "all") and waiting.gate != "blocked":
        return Decision(action="approve_rest")
    if said in ("s", "show") and "code" in waiting.payload:
        _print_code(waiting.payload["code"].splitlines(), console)
        return _decision(waiting, console, read)
    if said in ("e", "edit"):
        if waiting.gate == "contract":
            return _edited_contract(console, read)
        return _edited_code(waiting.payload["code"], console)
    if said in ("r", "reject", "n", "no"):
        return Decision(action="reject", reason=read("What should be different (empty: just stop)? ").strip())
    return None


def _answer(said: str, choices: Sequence[str], console: Console) -> Decision | None:
    if said.isdecimal() and choices:
        if 1 <= int(said) <= len(choices):
            return Decision(action="answer", answer=choices[int(said) - 1])
        if said not in choices:
            console.print(f"There is no choice {said}: they go from 1 to {len(choices)}.", markup=False, style="red")
            return None
    return Decision(action="answer", answer=said) if said else None


def _edited_contract(console: Console, read: Callable[[str], str]) -> Decision | None:
    console.print(EDIT_HELP, markup=False, highlight=False, style="dim")
    lines = []
    while line := read("  change: ").strip():
        lines.append(line)
    try:
        changes = changed_fields(lines)
    except ValueError as error:
        console.print(str(error), markup=False, style="red")
        return None
    return Decision(action="edit", contract=changes) if changes else None


def changed_fields(lines: Sequence[str]) -> dict[str, Any]:
    """`["metric=log_loss", "split.rule=time"]` -> {"metric": "log_loss", "split": {"rule": "time"}}.

    `columns.NAME.use=no` names one column (a name with dots works: the last part is the field). Raises ValueError.
    """
    changes: dict[str, Any] = {}
    for line in lines:
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise ValueError(f"{line!r} is no change; write it like metric=log_loss.")
        first, _, rest = name.partition(".")
        if first == "columns":
            column, _, part = rest.rpartition(".")
            if not column:
                raise ValueError(f"{line!r} names no column; write it like columns.zip_code.use=no.")
            changes.setdefault("columns", {}).setdefault(column, {})[part] = _value(part, value)
        elif rest:
            changes.setdefault(first, {})[rest] = _value(rest, value)
        else:
            changes[first] = _value(first, value)
    return changes


def _value(field: str, text: str) -> Any:
    """Text as the type of the field it is meant for; a class label "1" or a column "yes" stays text."""
    if field in ("candidates", "also", "steps"):
        return [part.strip() for part in text.split(",") if part.strip()]
    if field == "use":
        if text.lower() not in ("yes", "no", "true", "false"):
            raise ValueError(f"use={text} is no change; write yes or no.")
        return text.lower() in ("yes", "true")
    if field in ("budget_seconds", "holdout_fraction", "seed"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"{field}={text} is no number.") from error
    return text or None


def _edited_code(code: str, console: Console) -> Decision | None:
    try:
        edited = click.edit(code, extension=".py")
    except click.ClickException as error:
        console.print(f"No editor could be opened ({error.message}); set EDITOR.", markup=False, style="red")
        return None
    if edited is None or edited == code:
        console.print("The script was not changed.", style="dim")
        return None
    return Decision(action="edit", code=edited)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """While a line is read, Ctrl-C and its like have to end the reading: the event loop's own handlers wait for it."""
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    wakeup = signal.set_wakeup_fd(-1)  # else the loop would hear of it too, and cancel our cleaning up
    for number in earlier:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except (KeyboardInterrupt, EOFError) as error:
        raise Interrupted from error
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)


def _show_contract(payload: Mapping[str, Any], console: Console) -> None:
    contract = payload["contract"]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in (*contract_facts(contract), *_runs_in(payload)):
        facts.add_row(f"  {name.capitalize()}", Text(printable(text)))
    console.print(facts)
    used = [column for column in contract["columns"] if column["use"]]
    unused = [column for column in contract["columns"] if not column["use"]]
    console.print()
    console.print(_columns("Used", used, lambda column: ", ".join(column["steps"]) or "as it is"))
    if unused:
        console.print()
        console.print(_columns("Left out", unused, lambda column: column["reason"]))
    console.print()
    for problem in payload.get("problems", ()):
        console.print(Text(f"! {printable(problem)}", style="red"))


def contract_facts(contract: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of everything in a contract but its columns."""
    split = contract["split"]
    rows = [("Predict", _target(contract))]
    rows.append(("One row is", contract["row_unit"]))
    also = f", also {', '.join(metric_title(name) for name in contract['also'])}" if contract["also"] else ""
    rows.append(("Judged by", metric_title(contract["metric"]) + also))
    by = f" by {split['column']}" if split["column"] else ""
    reason = f": {split['reason']}" if split["reason"] else ""
    rows.append(("Sealed", f"{split['holdout_fraction']:.0%} of the rows, {split['rule']} split{by}{reason}"))
    rows.extend(("Seen", seen) for seen in split.get("evidence", ()))
    rows.extend(model_facts(contract.get("model")))
    if said := PROFILES.get(contract.get("profile", "best")):
        rows.append(("Profile", said))
    if weight := contract.get("weight_column"):
        rows.append(("Weights", f"training rows count as “{weight}” says; the score counts every row once"))
    if not contract.get("model"):
        rows.append(("Candidates", ", ".join(contract["candidates"]).replace("_", " ")))
    rows.append(("Time", f"{contract['budget_seconds']:.0f} s for the whole run; seed {contract['seed']}"))
    if contract["cost_of_errors"]:
        rows.append(("Errors", contract["cost_of_errors"]))
    if costs := contract.get("costs"):
        said = "a false alarm {false_positive:g}, a miss {false_negative:g}, a hit brings {true_positive:g}"
        rows.append(("Costs", said.format(**costs)))
    rows.extend(("Assumed", assumption) for assumption in contract["assumptions"])
    rows.extend(blueprint_facts(contract.get("blueprint")))
    return rows


def _target(contract: Mapping[str, Any]) -> str:
    if contract["task"] == "regression":
        return f"{contract['target']} (a number)"
    listed = ", ".join(contract["classes"][:12]) + (", …" if len(contract["classes"]) > 12 else "")
    positive = f"; {contract['positive_class']} counts as positive" if contract["positive_class"] else ""
    return f"{contract['target']} (one of {listed}{positive})"


def _columns(title: str, columns: Sequence[Mapping[str, Any]], last: Callable[[Mapping[str, Any]], str]) -> Table:
    table = Table(
        title=f"{title}: {counted(len(columns), 'column')}", title_justify="left", box=None, padding=(0, 2), expand=True
    )
    table.add_column("column", ratio=3, overflow="fold")
    table.add_column("role", width=8, no_wrap=True)
    table.add_column("preparation" if title == "Used" else "why", ratio=6, overflow="fold", style="dim")
    for column in columns[:MAX_COLUMNS_SHOWN]:
        table.add_row(Text(printable(column["name"])), column["role"], Text(printable(last(column))))
    if len(columns) > MAX_COLUMNS_SHOWN:
        table.add_row(f"… and {len(columns) - MAX_COLUMNS_SHOWN:,} more", "", "")
    return table


def _show_code(payload: Mapping[str, Any], console: Console) -> None:
    lines = payload["code"].splitlines()
    _print_code(lines if len(lines) <= MAX_LINES_SHOWN else lines[: MAX_LINES_SHOWN // 2], console)
    if len(lines) > MAX_LINES_SHOWN:
        console.print(
            f"  … and {len(lines) - MAX_LINES_SHOWN // 2} more lines ([s]how it all)", markup=False, style="dim"
        )
    console.print()
    facts = [("script", f"{AUTHORS[payload['author']]}, {counted(len(lines), 'line')}, attempt {payload['attempt']}")]
    facts += [*((name, str(value)) for name, value in payload["effects"].items()), *_runs_in(payload)]
    show_facts(console, [(f"  {name}", text) for name, text in facts])
    for finding in payload["findings"]:
        text = f"  line {finding['line']}: {finding['sentence']} ({finding['rule']})"
        console.print(Text(printable(text), style="red" if finding["blocks"] else "dim"))
    if not payload["findings"]:
        console.print("  The critic found nothing.", style="green")


def _runs_in(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Isolation and limits of the run, and what a reduced level leaves open."""
    runs_in = payload["runs_in"]
    warning = [("! reduced", runs_in["warning"])] if runs_in["warning"] else []
    return [("runs in", runs_in["line"]), *warning]


def _print_code(lines: Sequence[str], console: Console) -> None:
    code = printable("\n".join(lines))
    console.print(
        Syntax(code, "python", line_numbers=True, word_wrap=True, theme="ansi_dark", background_color="default")
    )
