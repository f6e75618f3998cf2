"""How often the intervals held the truth, in tables for a terminal and for docs/numbers.md."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tools.metrics import METRICS

SIZES = ((0, 60, "under 60"), (60, 150, "60 to 149"), (150, 400, "150 to 399"), (400, 10**9, "400 and more"))
CHOSEN_ON = frozenset({
    "two even classes", "two classes at random", "nearly perfect", "rare class (9 %)", "far too sure", "groups of five",
    "three classes", "ten classes", "number, few rows", "weak signal", "uneven noise", "groups of eight, number",
    "long memory", "california", "taxis_tip", "bird_strikes", "doctor_visits", "rare class (5 %), weak",
    "very rare class (1 %)", "rare class in groups of five",
})  # fmt: skip
"""The methods of tools/intervals.py were chosen on these, with other seeds."""


@dataclass(frozen=True)
class Outcome:
    """Of one measure of one table: how many of the intervals held the truth, and on which side the others missed."""

    table: str
    task: str
    rule: str
    holdout: int
    metric: str
    decides: bool
    truth: float
    intervals: int
    covered: int
    too_low: int
    """The interval ends below the truth."""
    too_high: int
    width: float
    """Mean."""
    percentile_covered: int
    percentile_width: float


def summary(outcomes: Iterable[Outcome], by: Callable[[Outcome], str]) -> dict[str, tuple[int, float, float, float]]:
    """Intervals, coverage, coverage of the percentiles and width against theirs, for each part."""
    parts: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        parts[by(one)].append(one)
    found = {}
    for name, part in parts.items():
        count = sum(one.intervals for one in part)
        wider = float(np.mean([one.width / one.percentile_width for one in part if one.percentile_width > 0]))
        found[name] = (
            count, sum(one.covered for one in part) / count, sum(one.percentile_covered for one in part) / count, wider,
        )  # fmt: skip
    return found


def _size(one: Outcome) -> str:
    return next(name for low, high, name in SIZES if low <= one.holdout < high)


def _part_in_choice(one: Outcome) -> str:
    return "tables the methods were chosen on" if one.table in CHOSEN_ON else "tables they were not chosen on"


def show(outcomes: Sequence[Outcome]) -> str:
    """The coverage in a few tables."""
    lines = []
    deciding = [one for one in outcomes if one.decides]
    views: tuple[tuple[str, Sequence[Outcome], Callable[[Outcome], str]], ...] = (
        ("deciding measure, all tables", deciding, lambda one: "all"),
        ("deciding measure, by part in the choice", deciding, _part_in_choice),
        ("deciding measure by hold-out", deciding, _size),
        ("deciding measure by split", deciding, lambda one: one.rule),
        ("every measure", outcomes, lambda one: one.metric),
        ("every measure by hold-out", outcomes, _size),
        ("every table, all its measures", outcomes, lambda one: one.table),
    )
    for title, part, by in views:
        lines.append(f"\n{title:34} intervals  covered  (percentile)  wider by")
        for name, (count, covered, percentile, wider) in summary(part, by).items():
            lines.append(f"  {name:34}{count:7}  {covered:7.1%}  {percentile:11.1%}  {wider - 1:9.0%}")
    return "\n".join(lines)


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table of docs/numbers.md: of the deciding measure, then of each measure."""
    deciding = [one for one in outcomes if one.decides]
    views: tuple[tuple[Sequence[Outcome], Callable[[Outcome], str]], ...] = (
        (deciding, lambda one: "**the measure that decides, all tables**"),
        (deciding, lambda one: f"… {_part_in_choice(one)}"),
        (deciding, lambda one: f"… {_size(one)} sealed rows"),
        (deciding, lambda one: f"… {one.rule} split"),
        (outcomes, lambda one: METRICS[one.metric].label),
    )
    lines = ["| | intervals | hold the truth | plain percentiles would |", "|---|---:|---:|---:|"]
    for part, by in views:
        for name, (count, covered, percentile, _) in summary(part, by).items():
            lines.append(f"| {name} | {count:,} | {covered:.1%} | {percentile:.1%} |")
    tables, seeds = len(deciding), max(one.intervals for one in deciding)
    return "\n".join([*lines, "", f"{tables} tables, {seeds} seeds each, `python -m benchmarks.honesty`."])
