"""The options of `run` for the improvement search."""

from typing import Annotated

import typer

from chat_app.cli_parts import number
from chat_app.exits import BAD_INPUT, CommandError

ImproveOption = Annotated[
    bool | None,
    typer.Option(
        "--improve/--no-improve",
        help="Whether a configured language model looks for a better script in what the budget leaves.",
    ),
]
ImproveSecondsOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", parser=number(0, 86_400), help="So much more time for that search."),
]


def improvement(wanted: bool | None, seconds: float | None) -> float | bool | None:
    """What was said of the search; None when nothing was. Raises CommandError for a contradiction."""
    if wanted is False and seconds is not None:
        raise CommandError(BAD_INPUT, "--no-improve and --improve-seconds contradict each other: leave one out.")
    return wanted if seconds is None else seconds
