"""Would more rows help? What the learning program measured on training rows, checked and judged.

The gain of the last doubling is tested over the repeats with the correction for overlapping training rows (Nadeau &
Bengio 2003). No curve is fitted and nothing is foretold beyond the next doubling, because such forecasts fail too often
(Viering & Loog 2021).
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy import stats

MOST_BYTES = 100_000
NOTEWORTHY = 0.01
"""Share of the loss; a smaller gain is not worth collecting rows for."""

Losses = Annotated[tuple[Annotated[float, Field(ge=0.0, le=1e30)], ...], Field(min_length=2, max_length=20)]


class Measured(BaseModel):
    """outputs/learning.json: untrusted, so every field is checked."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    rows: tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...] = Field(max_length=20)
    losses: tuple[Losses, ...] = Field(max_length=20)
    finished: bool = True


class Point(BaseModel):
    """A light model that learned from so many rows: its loss on others, and the spread over the repeats."""

    model_config = ConfigDict(frozen=True)

    rows: int
    loss: float
    ci_low: float
    ci_high: float


class Learning(BaseModel):
    """Whether more rows would help."""

    model_config = ConfigDict(frozen=True)

    measure: Literal["log-loss", "RMSE"]
    points: tuple[Point, ...]
    gain: float | None
    """Share of the loss that the last doubling saved; None when it was not measured."""
    ci_low: float | None
    ci_high: float | None
    more_rows: Literal["would help", "hardly help", "unclear", "unknown"]
    sentence: str


def learning(path: Path, *, task: str) -> Learning:
    """What the program wrote; a file that is missing or not sound is no error but "unknown"."""
    try:
        measured = _read(path)
    except ValueError as error:
        return _unknown(task, str(error))
    if len(measured.rows) < 2 or len(measured.rows) != len(measured.losses):
        return _unknown(task, "there are too few rows, or there was no time")
    if len({len(one) for one in measured.losses}) != 1:
        return _unknown(task, "its answers do not fit together")
    losses = np.array(measured.losses)
    if task == "regression":
        losses = np.sqrt(losses)
    gain, low, high = _gain(losses[-2], losses[-1])
    verdict: Literal["would help", "hardly help", "unclear"] = "unclear"
    if low > 0 and gain >= NOTEWORTHY:
        verdict = "would help"
    elif high < 2 * NOTEWORTHY or (low > 0 and gain < NOTEWORTHY):
        verdict = "hardly help"
    return Learning(
        measure=_measure(task),
        points=tuple(_point(rows, one) for rows, one in zip(measured.rows, losses, strict=True)),
        gain=float(gain),
        ci_low=float(low),
        ci_high=float(high),
        more_rows=verdict,
        sentence=_sentence(verdict, (float(gain), float(low), float(high)), measured, _measure(task)),
    )


def _read(path: Path) -> Measured:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise ValueError("the program for it did not finish")
    try:
        return Measured.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError("the program's answer is not sound") from error


def _measure(task: str) -> Literal["log-loss", "RMSE"]:
    return "RMSE" if task == "regression" else "log-loss"


def _gain(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float, float]:
    """Share of the loss that is saved, with its 95 % interval over the repeats, on the log scale."""
    tiny = 1e-12
    gains = np.log((before + tiny) / (after + tiny))
    repeats = len(gains)
    # Each repeat judges by 1/repeats of the rows and learns from the others.
    inflated = 1 / repeats + 1 / max(1, repeats - 1)
    reach = float(stats.t.ppf(0.975, repeats - 1) * np.std(gains, ddof=1) * np.sqrt(inflated))
    mean = float(gains.mean())
    saved, low, high = (1.0 - float(np.exp(-value)) for value in (mean, mean - reach, mean + reach))
    return saved, low, high


def _point(rows: int, losses: NDArray[np.float64]) -> Point:
    mean, repeats = float(losses.mean()), len(losses)
    reach = float(stats.t.ppf(0.975, repeats - 1) * np.std(losses, ddof=1) * np.sqrt(1 / repeats))
    return Point(rows=rows, loss=mean, ci_low=max(0.0, mean - reach), ci_high=mean + reach)


def _sentence(
    verdict: Literal["would help", "hardly help", "unclear"],
    gain: tuple[float, float, float],
    measured: Measured,
    measure: str,
) -> str:
    saved, low, high = gain if gain[0] >= 0 else (-gain[0], -gain[2], -gain[1])
    span = f"from {measured.rows[-2]:,} to {measured.rows[-1]:,} training rows"
    by = f"{saved:.1%} (95 % interval {low:.1%} to {high:.1%})"
    did = "lowered" if gain[0] >= 0 else "raised"
    seen = f"going {span} {did} the {measure} of a light model by {by}"
    match verdict:
        case "would help":
            return f"More rows would probably help: {seen}. The next doubling usually brings less than the last."
        case "hardly help":
            return f"More rows of the same kind would hardly help: {seen}. Better columns would."
        case "unclear":
            return f"Whether more rows would help cannot be told: {seen}."


def _unknown(task: str, why: str) -> Learning:
    return Learning(
        measure=_measure(task), points=(), gain=None, ci_low=None, ci_high=None, more_rows="unknown",
        sentence=f"Whether more rows would help was not measured: {why}.",
    )  # fmt: skip
