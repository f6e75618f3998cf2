"""What errors cost in numbers: read from "FP=1, FN=5" or from JSON, checked before a contract takes it."""

from collections.abc import Mapping

from pydantic import ValidationError

from tools.contract import Contract, ContractError, Costs

_NAMES = {"FP": "false_positive", "FN": "false_negative", "TP": "true_positive"}
_HOW = "write costs like FP=1, FN=5 (a false alarm costs 1, a miss 5), and TP=20 for what a hit brings"


def read_costs(value: object, contract: Contract) -> Costs | None:
    """The costs; None (or an empty text) takes them out. Raises `ContractError`."""
    if value in (None, ""):
        return None
    if contract.task != "binary":
        raise ContractError("Costs of false alarms and misses need two classes; here there are others.")
    given = dict(value) if isinstance(value, Mapping) else _pairs(value)
    named = {_NAMES.get(str(name).strip().upper(), str(name).strip()): number for name, number in given.items()}
    try:
        return Costs.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ContractError(f"These costs do not fit ({place + ': ' if place else ''}{said}); {_HOW}.") from error


def _pairs(value: object) -> dict[str, str]:
    parts = [part.partition("=") for part in str(value).replace(";", ",").split(",") if part.strip()]
    if not all(equals for _, equals, _ in parts):
        raise ContractError(f"“{str(value)[:60]}” are no costs; {_HOW}.")
    return {name.strip(): number.strip() for name, _, number in parts}
