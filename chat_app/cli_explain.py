"""`modelwright explain` as it is typed: its options are one question. Heavy imports wait inside."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chat_app.cli_parts import complete, new_console, number, read_settings, table
from chat_app.exits import BAD_INPUT, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from tools.explaining.explanation import Query


def explain(
    project: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A result folder of `run`, its model/, bundle.zip, or a project's id."),
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="The rows to explain, or a sample; else the sealed rows.")
    ] = None,
    row: Annotated[int | None, typer.Option(metavar="N", help="Why this row of DATA? The first row is 1.")] = None,
    what_if: Annotated[
        str | None,
        typer.Option(
            "--what-if", "--may-change", metavar="A,B", help="With --row: what would change it, if these may; or: all."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="ANSWER", help="With --what-if: the class or number wanted.")
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="How does this column influence it?")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for charts (PNG) and tables (CSV).")] = None,
    background: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows to compare with, instead of training rows.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", parser=number(1, 86_400), help="Time; more gives finer numbers.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="The explanation as JSON and nothing else.")] = False,
) -> None:
    """Say what a model relies on: as a whole, in one column (--column), or for one row (--row, --what-if)."""
    query = query_of(row=row, what_if=what_if, to=to, column=column)
    source = None if data is None else table(data)
    from chat_app.explaining import ExplainOrder, json_text
    from chat_app.explaining import explain as explain_order

    order = ExplainOrder(
        project,
        source,
        query,
        out.expanduser() if out else None,
        background.expanduser() if background else None,
        seconds,
    )
    console = new_console()
    found = complete(explain_order(order, read_settings(), tell_on(None if as_json else console)))
    if as_json:
        typer.echo(json_text(found), nl=False)
    else:
        from rich.markdown import Markdown

        from chat_app.printable import printable

        console.print(Markdown(printable(found.text)) if console.is_terminal else printable(found.text), soft_wrap=True)


def query_of(*, row: int | None, what_if: str | None, to: str | None, column: str | None) -> "Query":
    """What is asked. Raises CommandError for options that do not go together."""
    from tools.explaining.explanation import Query

    if column is not None and (row is not None or what_if is not None):
        raise CommandError(BAD_INPUT, "--column is about all rows; leave out --row and --what-if, or ask twice.")
    if row is None and (what_if is not None or to is not None):
        raise CommandError(BAD_INPUT, "--what-if is about one row; add --row N (the first row is 1).")
    if column is not None:
        return Query("column", column=column)
    if row is None:
        return Query("model")
    if what_if is None and to is None:
        return Query("row", row)
    return Query("change", row, may_change=names_in(what_if or ""), wanted=to)


def names_in(text: str) -> tuple[str, ...]:
    """Names with commas between; a name that holds a comma stands in double quotes. "all" and nothing: no names."""
    names = next(iter(csv.reader([text], skipinitialspace=True)), [])
    found = tuple(name.strip() for name in names if name.strip())
    return () if found == ("all",) else found


def tell_on(console: "Console | None") -> Callable[[str], None]:
    """Notes for the user, where anybody reads them."""
    from chat_app.printable import printable

    def tell(note: str) -> None:
        if console is not None:
            console.print(f"· {printable(note)}", markup=False, highlight=False, soft_wrap=True)

    return tell
