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
from chat_app.plan_lines import changed_steps, show_steps
from chat_app.printable import printable
from chat_app.terminal import AUTHORS, metric_title, show_facts
from tools.blueprints.page import blueprint_facts
from tools.formulas import formula_facts
from tools.ingest.errors import counted
from tools.models.page import model_facts

MAX_COLUMNS_SHOWN = 40
MAX_LINES_SHOWN = 60
"""Of a script, before it is asked for as a whole."""
CHOICES: Mapping[Gate, str] = {
    "contract": "[a]pprove, approve a[l]l that follows, [e]dit, [r]eject",
    "code": "[a]pprove, approve a[l]l that follows, [s]how it all, [e]dit, [r]eject",
    "blocked": "[a]pprove, [s]how it all, [e]dit, [r]eject",
    "analysis": "[a]pprove, approve a[l]l that follows, [s]how it all, [e]dit, [r]eject",
    "question": "the number of a choice, or your own words",
    "plan": "[a]pprove, approve a[l]l that follows, [e]dit, [r]eject",
    "search": "the number of a choice",
    "script": "[a]pprove, approve a[l]l that follow, [s]how it all, [r]eject",
}
EDIT_HELP = (
    "One change per line as name=value, an empty line when done. For example: metric=log_loss, "
    "budget_seconds=120, improve_seconds=60 (or no), split.rule=time, split.column=date, "
    "candidates=linear,lightgbm, profile=compact, "
    "costs=FP=1,FN=5, columns.zip_code.use=no. A model of your choice: model=random_forest, model.n_estimators=500, "
    "model.space.max_depth=3..12, model.search=optuna, model.trials=30, model.template=imbalanced, model.save_as=NAME, "
    "model=no for ours. With a blueprint: blueprint=no, blueprint.tenure_group=no, blueprint.cost=5. What a language "
    "model advised: formulas.debt_per_income=no, proposals=1 (or 1,3) makes those proposals, proposals=none drops all"
)


PLAN_HELP = (
    "One change per line, an empty line when done: order=2,1,3 for another order, remove=2, 2=new words for a step, "
    "add=words for one more. The numbers are those shown above."
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
    elif gate == "search":
        show_search(payload, console)
    elif gate == "plan":
        show_steps(payload["steps"], console)
    elif gate == "contract":
        _show_contract(payload, console)
    else:
        _show_code(payload, console)


def show_search(payload: Mapping[str, Any], console: Console) -> None:
    """What the improvement search would do, and the choices."""
    console.print(Text(f"  {printable(payload['text'])}"))
    show_facts(console, [(f"  {name}", text) for name, text in _runs_in(payload)])
    for number, choice in enumerate(payload["choices"], start=1):
        console.print(f"  {number}. {choice}", markup=False, highlight=False)


def _decision(waiting: WaitingConfirmation, console: Console, read: Callable[[str], str]) -> Decision | None:
    if waiting.gate in ("question", "search"):
        return _answer(read("Your answer: ").strip(), waiting.payload["choices"], console)
    said = read(f"{CHOICES[waiting.gate]}: ").strip().lower()
    if said in ("a", "approve", "y", "yes"):
        return Decision(action="approve")
    if said in ("l", "all") and waiting.gate != "blocked":
        return Decision(action="approve_rest")
    if said in ("s", "show") and "code" in waiting.payload:
        _print_code(waiting.payload["code"].splitlines(), console)
        return _decision(waiting, console, read)
    if said in ("e", "edit") and waiting.gate != "script":
        if waiting.gate == "contract":
            return _edited_contract(console, read, waiting.payload.get("proposals", ()))
        if waiting.gate == "plan":
            return _edited_plan(waiting.payload["steps"], console, read)
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


def _edited_plan(steps: Sequence[Mapping[str, Any]], console: Console, read: Callable[[str], str]) -> Decision | None:
    console.print(PLAN_HELP, markup=False, highlight=False, style="dim")
    lines = []
    while line := read("  change: ").strip():
        lines.append(line)
    try:
        changed = changed_steps(steps, lines)
    except ValueError as error:
        console.print(str(error), markup=False, style="red")
        return None
    return Decision(action="edit", steps=changed) if lines else None


def _edited_contract(
    console: Console, read: Callable[[str], str], proposals: Sequence[Mapping[str, Any]]
) -> Decision | None:
    console.print(EDIT_HELP, markup=False, highlight=False, style="dim")
    lines = []
    while line := read("  change: ").strip():
        lines.append(line)
    try:
        changes = with_proposals(changed_fields(lines), proposals)
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


def with_proposals(changes: dict[str, Any], proposals: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`proposals=1,3` as the changes that these proposals make; raises ValueError for a number that there is not."""
    said = changes.get("proposals")
    if said in (None, "none", "no"):
        return changes
    wanted = [part.strip() for part in str(said).split(",")]
    made = {name: value for name, value in changes.items() if name != "proposals"}
    for number in wanted:
        if not number.isdecimal() or not 1 <= int(number) <= len(proposals):
            raise ValueError(f"There is no proposal {number}; they go from 1 to {len(proposals)}.")
        for name, value in proposals[int(number) - 1]["changes"].items():
            made[name] = [*made.get(name, ()), *value] if name == "exclude" else value
    return made


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
    if models := payload.get("models"):
        show_facts(console, [("Language models", models)])
    for number, proposal in enumerate(payload.get("proposals", ()), start=1):
        line = f"? proposals={number}: {proposal['label']}. {proposal['sentence']}"
        console.print(Text(printable(line), style="yellow"))
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
    if (more := contract.get("improve_seconds")) is not None:
        rows.append(("Search", f"a language model looks for a better script in what the time leaves{_more(more)}"))
    if contract["cost_of_errors"]:
        rows.append(("Errors", contract["cost_of_errors"]))
    if costs := contract.get("costs"):
        said = "a false alarm {false_positive:g}, a miss {false_negative:g}, a hit brings {true_positive:g}"
        rows.append(("Costs", said.format(**costs)))
    assumed = [one for one in contract["assumptions"] if not one.startswith("Advised and not done: ")]  # numbered below
    rows.extend(("Assumed", assumption) for assumption in assumed)
    rows.extend(blueprint_facts(contract.get("blueprint")))
    rows.extend(formula_facts(contract.get("formulas", ())))
    return rows


def _more(seconds: float) -> str:
    return f" and {seconds:.0f} s more" if seconds else ""


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
    _print_changes(payload.get("diff", "").splitlines(), console)
    console.print()
    facts = [("script", f"{AUTHORS[payload['author']]}, {counted(len(lines), 'line')}, attempt {payload['attempt']}")]
    if payload["author"] == "model" and payload.get("note"):
        facts.append(("by", str(payload["note"])))
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


def _print_changes(lines: Sequence[str], console: Console) -> None:
    """What is different from the version that was shown before."""
    if not lines:
        return
    console.print("\nChanged:", style="bold")
    for line in lines[:MAX_LINES_SHOWN]:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        console.print(Text(printable(line), style=style))
    if len(lines) > MAX_LINES_SHOWN:
        console.print(f"  … and {len(lines) - MAX_LINES_SHOWN} more lines of differences", style="dim")


def _print_code(lines: Sequence[str], console: Console) -> None:
    code = printable("\n".join(lines))
    console.print(
        Syntax(code, "python", line_numbers=True, word_wrap=True, theme="ansi_dark", background_color="default")
    )
