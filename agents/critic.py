"""Decides whether a script may be shown for approval, and what a result is worth in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.audit import Probe
from tools.contract import Contract
from tools.lint import Finding, Review, check
from tools.profile import ColumnProfile
from tools.score import Difference, Score
from tools.vault import Vault


def review(code: str, contract: Contract, vault: Vault) -> Review:
    """Every remark on a script: ruff, bandit, our policy. Blocking: about half a second."""
    findings = check(code, target=contract.target, features=contract.features, classes=contract.classes)
    return Review(code_hash=vault.put_text(code), findings=findings)


def with_remarks(found: Review, remarks: Sequence[Finding]) -> Review:
    """A review with a model's remarks beside the others; nothing that was found is taken away."""
    together = sorted((*found.findings, *remarks), key=lambda one: (not one.blocks, one.source == "model", one.line))
    return found.model_copy(update={"findings": tuple(together)})


def result_facts(
    score: Score,
    probes: Sequence[Probe],
    looks: int,
    contract: Contract,
    importance: Sequence[Mapping[str, Any]],
    leaderboard: Sequence[Mapping[str, Any]],
    target: ColumnProfile,
) -> dict[str, Any]:
    """A result before its report is written, in the report's own words: numbers and names, no value of a cell."""
    counts = [item.count for item in target.top] if target.top_complete and contract.task != "regression" else []
    return {
        "metric": score.metric.model_dump(mode="json"),
        "baseline": score.baseline.model_dump(mode="json"),
        "also": [one.model_dump(mode="json") for one in score.also],
        "difference": score.difference.model_dump(mode="json"),
        "rows_holdout": score.rows,
        "holdout_looks": looks,
        "rarest_class_share": min(counts) / sum(counts) if counts else None,
        "features": list(contract.features),
        "budget_seconds": contract.budget_seconds,
        "audit": [{"probe": probe.probe, "passed": probe.passed} for probe in probes],
        "importance": [{"feature": one["column"], "drop": one["drop"]} for one in importance],
        "leaderboard": list(leaderboard),
    }


def verdict(score: Score, probes: Sequence[Probe], looks: int) -> str:
    """The result in one paragraph, with what the audit found and how often the sealed rows were looked at."""
    sentences = [f"{score.verdict[:1].upper()}{score.verdict[1:]}."]
    sentences += [_compared(difference) for difference in score.earlier[-1:]]
    sentences += _among_many(score.earlier)
    failed = [probe for probe in probes if probe.passed is False]
    sentences += [" ".join(["Take care:", probe.detail, probe.in_use]).strip() for probe in failed]
    if not failed:
        sentences.append(f"{len(probes)} audit probes ran and none raised an alarm.")
    if looks > 1:
        sentences.append(
            f"These sealed rows have now been scored {looks} times; each look makes the best score a little luckier."
        )
    return " ".join(sentences)


def _among_many(earlier: Sequence[Difference]) -> list[str]:
    """Which of several earlier attempts this one can be told apart from, all intervals holding together."""
    if len(earlier) < 2:
        return []
    apart = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("better than", [one.against for one in earlier if one.ci_low > 0]),
            ("worse than", [one.against for one in earlier if one.ci_high < 0]),
            ("not to be told apart from", [one.against for one in earlier if one.ci_low <= 0 <= one.ci_high]),
        )
        if names
    ]
    return [f"Of {len(earlier)} earlier attempts, compared all at once, it is {'; '.join(apart)}."]


def _compared(difference: Difference) -> str:
    """The last attempt on the same rows; a difference whose interval holds zero is a tie."""
    low, high = difference.ci_low, difference.ci_high
    word = "better than" if low > 0 else "worse than" if high < 0 else "a tie with"
    interval = f"{difference.value:+.3g}, 95 % interval {low:+.3g} to {high:+.3g}, more is better"
    return f"On the same sealed rows it is {word} {difference.against} ({interval})."
