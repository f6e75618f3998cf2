"""The options of `run` for what language models may cost."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chat_app.cli_parts import number
from chat_app.exits import BAD_INPUT, CommandError

if TYPE_CHECKING:
    from chat_app.settings import Settings

ModelBudgetOption = Annotated[
    float | None,
    typer.Option(
        metavar="MONEY",
        parser=number(0, 1e9),
        help="What language models may cost in this run, in the unit of their prices; 0 asks none.",
    ),
]
ModelTokensOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Tokens that language models may use in this run; 0 asks none."),
]
ModelMinutesOption = Annotated[
    float | None,
    typer.Option(
        metavar="MINUTES", parser=number(0, 1440), help="How long this run may wait for language models, all together."
    ),
]


def model_budget(
    money: float | None, tokens: int | None, minutes: float | None, settings: "Settings"
) -> dict[str, Any] | None:
    """Bounds of this run; None when none was named. Raises CommandError for one that could never be reached."""
    seconds = None if minutes is None else 60 * minutes
    if money is None and tokens is None and seconds is None:
        return None
    from chat_app.model_settings import RoleStore

    asked = {one for endpoints in RoleStore(settings).roles.values() for one in endpoints}
    if money and asked and not any(one.price_in or one.price_out for one in asked):
        raise CommandError(
            BAD_INPUT,
            "--model-budget counts money, and no price is configured: name the prices per million tokens "
            "(MODELWRIGHT_REASONING__PRICE_IN and __PRICE_OUT), or bound the run with --model-tokens.",
        )
    if money == 0:
        tokens = 0
    return {
        name: value for name, value in (("money", money), ("tokens", tokens), ("seconds", seconds)) if value is not None
    }
