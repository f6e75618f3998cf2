"""`modelwright check`: what ruff, bandit and our own policy say about a Python file, without running it."""

import json
from collections import Counter
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chat_app.exits import DONE, OBJECTION
from chat_app.printable import printable
from chat_app.script_file import STDIN, read_script
from tools.ingest.errors import counted
from tools.lint import Action, Finding, check

STYLES: dict[Action, str] = {"block": "bold red", "ask": "yellow", "note": "dim"}
VERDICTS: dict[Action, str] = {
    "block": "It would not run: a finding that blocks cannot be approved.",
    "ask": "It would run only after a person has said yes to what asks.",
    "note": "It would run; notes stop nothing.",
}


def check_script(script: str, *, as_json: bool, console: Console) -> int:
    """Print the findings of a file, or of stdin for "-", as a table or as JSON; the exit code.

    Raises CommandError when it is no script.
    """
    findings = check(read_script(script))
    if as_json:
        typer.echo(json.dumps(_as_json(findings), indent=2, ensure_ascii=False))
    else:
        _show(script, findings, console)
    return OBJECTION if _worst(findings) in ("block", "ask") else DONE


def _worst(findings: tuple[Finding, ...]) -> Action | None:
    actions: tuple[Action, ...] = ("block", "ask", "note")
    return next((action for action in actions if any(found.action == action for found in findings)), None)


def _counts(findings: tuple[Finding, ...]) -> dict[str, int]:
    times = Counter(found.action for found in findings)
    return {action: times[action] for action in ("block", "ask", "note")}


def _as_json(findings: tuple[Finding, ...]) -> dict[str, Any]:
    worst = _worst(findings)
    return {
        "verdict": worst if worst in ("block", "ask") else "ok",
        "counts": _counts(findings),
        "findings": [
            {
                "tool": found.source,
                "rule": found.rule,
                "severity": found.action,
                "line": found.line,
                "column": found.column,
                "message": found.sentence,
            }
            for found in findings
        ],
    }


def _show(script: str, findings: tuple[Finding, ...], console: Console) -> None:
    name = "stdin" if script == STDIN else printable(script)
    if not findings:
        console.print(Text(f"{name}: ruff, bandit and our policy found nothing."))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    for title in ("", "line", "what", "tool"):
        table.add_column(title, justify="right" if title == "line" else "left", overflow="fold")
    for found in findings:
        table.add_row(
            Text(found.action, style=STYLES[found.action]),
            str(found.line),
            Text.assemble(printable(found.sentence), " ", (printable(found.rule), "dim")),
            Text(found.source, style="dim"),
        )
    console.print(table)
    worst, counts = _worst(findings), _counts(findings)
    told = ", ".join(f"{number} {action}" for action, number in counts.items() if number)
    console.print()
    console.print(Text(f"{name}: {counted(len(findings), 'finding')} ({told}). {VERDICTS[worst or 'note']}"))
