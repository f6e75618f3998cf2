"""What is known of the split once a run is over: as probes of the audit, as data, and as a section of the report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.markdown import plain
from tools.metrics import METRICS
from tools.own_estimate import OwnEstimate, own_estimate
from tools.probes.finding import Probe, split_by
from tools.resplit import Later, Resplit, Unseen, resplit
from tools.score import Scalar
from tools.seal import Sealed
from tools.split_proof import NAME, prove

RESPLIT, NESTED = "resplit", "nested"
"""Folders below that of the audit."""


class SplitStudy(BaseModel):
    """Other splits, and what the training rows promise of the same model; None: not measured."""

    model_config = ConfigDict(frozen=True)

    resplit: Resplit = Resplit()
    own: OwnEstimate | None = None
    nested: OwnEstimate | None = None
    why_nested: str = ""
    """Why the whole recipe was judged by outer folds, or could not be; "" where nobody asks for it."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is known, the most useful first."""
        nested = f"{self.nested.sentence} {self.why_nested}" if self.nested else self.why_nested
        own = self.own.sentence if self.own else ""
        return tuple(text for text in (*self.resplit.sentences, own, nested) if text)


def study(trained: Path, audited: Path, contract: Contract, sealed: Sealed, score: Scalar) -> SplitStudy:
    """`trained` and `audited`: what the training and the audit left in their folders."""
    plan = audited / "nesting.json"
    why = json.loads(plan.read_text(encoding="utf-8"))["why"] if plan.is_file() else ""
    left = audited / NESTED / "nested.parquet"
    nested = own_estimate(left, sealed, contract, score, how="nested cross-validation")
    return SplitStudy(
        resplit=resplit(audited / RESPLIT, contract, sealed.own),
        own=own_estimate(trained / "oof.parquet", sealed, contract, score),
        nested=nested,
        why_nested=str(why) if nested or not left.parent.exists() else "",
    )


def split_probes(table: Path, dataset_id: str, contract: Contract, sealed: Sealed, found: Resplit) -> tuple[Probe, ...]:
    """That the agreed split was used, and whether another one would tell something else."""
    proof = prove(table, dataset_id, contract, sealed)
    in_use = "" if proof.passed else "Nobody can say what the score means: the model may have seen what judges it."
    probes = [Probe(probe=NAME, passed=proof.passed, detail=proof.detail, in_use=in_use)]
    if found.later:
        probes.append(_later(found.later, contract))
    if found.unseen:
        probes.append(_unseen(found.unseen, contract))
    return tuple(probes)


def _later(found: Later, contract: Contract) -> Probe:
    """No alarm after a split by time, which says it already, nor where the table itself says how to split."""
    evidence: dict[str, float | str] = {"at random": found.at_random.value, "later": found.later.value}
    alarm = found.finding == "differ" and contract.split.rule not in ("time", "predefined")
    return Probe(
        probe="order in time",
        passed=not alarm,
        detail=found.sentence,
        in_use="On rows that come later the model will do worse than this score says." if alarm else "",
        evidence=evidence,
        repair=split_by("time", found.column) if alarm else None,
    )


def _unseen(found: Unseen, contract: Contract) -> Probe:
    evidence: dict[str, float | str] = {"known": found.known.value, "unseen": found.unseen.value, "gap": found.gap}
    alarm = found.finding == "differ" and contract.split.rule not in ("group", "predefined")
    return Probe(
        probe="unseen entities",
        passed=not alarm,
        detail=found.sentence,
        in_use=f"For a “{found.column}” that it has not met the model will do worse than this score says."
        if alarm
        else "",
        evidence=evidence,
        repair=split_by("group", found.column) if alarm else None,
    )


def split_section(report: Mapping[str, Any]) -> str:
    """The rolling-origin table as Markdown; "" when there is none."""
    later = ((report.get("splits") or {}).get("resplit") or {}).get("later")
    if not later or not later["origins"]:
        return ""
    metric = METRICS[later["metric"]]
    lines = [
        f"A quick model on later rows, cut at several moments of {plain(later['column'])} (training rows only):",
        "",
        f"| learned from the first | judged on the next | {metric.label} | 95 % interval |",
        "|---:|---:|---:|---|",
    ]
    for one in later["origins"]:
        span = f"{metric.format(one['ci_low'])} to {metric.format(one['ci_high'])}"
        cells = (f"{one['learned_from']:,} rows", f"{one['judged']:,} rows", metric.format(one["value"]), span)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
