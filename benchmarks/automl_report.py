"""The AutoML comparison in tables and against its bars, from the rows of the CSV alone."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from benchmarks.automl_store import Result

DECISIVE = 1.64
LONGEST = 1.05
"""Of the budget, imports included."""
FIRST = 5.0
"""Seconds to the first usable model."""
COSTS = {
    "learn_seconds": "learn s", "first_model_seconds": "first model s", "peak_memory_mb": "memory MB",
    "model_mb": "model MB", "single_row_ms": "1 row ms", "batch_seconds": "all rows s",
}  # fmt: skip


def report(results: Sequence[Result]) -> str:
    """Scores, wins, ranks and costs for each budget, then what the bars say."""
    if not results:
        return "No run yet."
    frame = pd.DataFrame([asdict(one) for one in results])
    parts = []
    for budget in sorted(set(frame["budget"].tolist())):
        runs = frame[frame["budget"] == budget]
        tables, seeds = runs.table.nunique(), sorted(map(int, runs.seed.unique()))
        parts += [f"{budget:g} s: {tables} tables, split seeds {seeds}, {len(runs)} runs{_versions(runs)}"]
        parts += [_standing(runs), _against(runs), _scores(runs), _bars(runs, float(budget))]
    return "\n\n".join(part for part in parts if part)


def _versions(runs: pd.DataFrame) -> str:
    ours = sorted(set(runs[runs.system == "ours"].version))
    return f"; ours {', '.join(ours)}" if ours else ""


def _by_split(runs: pd.DataFrame) -> pd.DataFrame:
    """Score of each system (columns) on each split that more than one has run."""
    scores = runs.pivot_table(index=["table", "seed"], columns="system", values="score", dropna=False)
    ran = runs.assign(ran=1).pivot_table(index=["table", "seed"], columns="system", values="ran")
    return scores.reindex(ran.index)[ran.notna().sum(axis=1) > 1].reindex(columns=ran.columns)


def _standing(runs: pd.DataFrame) -> str:
    """Each system among all: how often the best, its rank (a failure is last), how near to the best, what it costs."""
    scores = _by_split(runs)
    low, high = scores.min(axis=1), scores.max(axis=1)
    normalised = scores.sub(low, axis=0).div((high - low).replace(0, np.nan), axis=0)
    table = pd.DataFrame(
        {
            "runs": runs.groupby("system").size(),
            "failures": runs.groupby("system").failure.apply(lambda said: int((said != "").sum())),
            "best": scores.eq(high, axis=0).sum(),
            "rank": scores.rank(axis=1, ascending=False, na_option="bottom").mean().round(2),
            "normalised": normalised.mean().round(3),
        }
    )
    costs = runs.groupby("system")[list(COSTS)].median().astype(float).round(2).rename(columns=COSTS)
    costs["longest s"] = runs.groupby("system").learn_seconds.max().astype(float).round(1)
    return _shown(table.join(costs))


def _shown(table: pd.DataFrame) -> str:
    return table.astype(object).where(table.notna(), "–").to_string()


def per_table(runs: pd.DataFrame, system: str) -> pd.DataFrame:
    """Ours and another on each table: mean scores over the seeds that both have, and the mean z of them."""
    scores = _by_split(runs)
    if "ours" not in scores or system not in scores:
        return pd.DataFrame(columns=["ours", system, "z"])
    both = scores[["ours", system]].dropna()
    z = runs[runs.system == system].set_index(["table", "seed"]).z.astype(float)
    return both.assign(z=z).groupby(level="table").mean()


def counted(runs: pd.DataFrame, system: str) -> tuple[int, int, int, int]:
    """Tables, those on which ours is better, decisive wins, decisive losses."""
    tables = per_table(runs, system)
    better = int((tables["ours"] > tables[system]).sum())
    return len(tables), better, int((tables.z > DECISIVE).sum()), int((tables.z < -DECISIVE).sum())


def _others(runs: pd.DataFrame) -> list[str]:
    return sorted(set(runs.system) - {"ours"})


def _against(runs: pd.DataFrame) -> str:
    rows = [[name, *counted(runs, name)] for name in _others(runs)]
    if not rows or not any(row[1] for row in rows):
        return ""
    heads = ["ours against", "tables", "better", "decisive wins", "decisive losses"]
    said = f"A table's z is the mean over its seeds, decisive beyond {DECISIVE}."
    return pd.DataFrame(rows, columns=heads).to_string(index=False) + f"\n{said}"


def _scores(runs: pd.DataFrame) -> str:
    scores = runs.pivot_table(index="table", columns="system", values="score").round(4)
    return f"Mean score (ROC-AUC, minus log-loss, R²):\n{_shown(scores)}" if len(scores) else ""


def _bars(runs: pd.DataFrame, budget: float) -> str:
    """What was promised, each with what was found; of other budgets only what holds for all."""
    ours = runs[runs.system == "ours"]
    if ours.empty:
        return ""
    found = [
        ("no failure", int((ours.failure != "").sum()), 0),
        (f"runs beyond {LONGEST:.0%} of the budget", int((ours.learn_seconds > LONGEST * budget).sum()), 0),
        (f"runs whose first model took more than {FIRST:g} s", int((ours.first_model_seconds > FIRST).sum()), 0),
    ]
    lines = [f"{_mark(value <= most)}  {what}: {value}" for what, value, most in found]
    silent = int(ours.first_model_seconds.isna().sum())
    lines += [f"{_mark(False)}  runs that never said when a first model was there: {silent}"] if silent else []
    if budget == 60:
        lines += [_bar(runs, name) for name in _others(runs)]
    return "Bars:\n" + "\n".join(lines)


def _bar(runs: pd.DataFrame, name: str) -> str:
    """Against AutoGluon medium three quarters of the tables and one decisive loss; against others more than they."""
    tables, better, wins, losses = counted(runs, name)
    if not tables:
        return f"–        {name}: no table in common"
    said = f"{name}: better on {better} of {tables} tables, {wins} decisive wins, {losses} decisive losses"
    if name == "autogluon_medium":
        return f"{_mark(better >= 0.75 * tables and losses <= 1)}  {said}"
    return f"{_mark(better > tables - better and wins > losses)}  {said}"


def _mark(met: bool) -> str:
    return "met    " if met else "NOT MET"
