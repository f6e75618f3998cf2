"""Probes beside the score: could this number be too good for a reason that has nothing to do with the question?

What a sandbox measured (tools/recipes/audit.py) is checked and judged by the rules in tools/probes; what needs the
sealed labels is computed here, on the trusted side. docs/audit.md tells what each probe asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import Contract
from tools.lint.finding import Finding
from tools.probes import columns, known_later, rows, twins
from tools.probes.batches import Batches, on_their_own
from tools.probes.evidence import Measured, read_probe
from tools.probes.finding import Probe as Probe
from tools.probes.finding import Repair as Repair
from tools.probes.self_test import self_test
from tools.probes.twins import duplicates_across_split as duplicates_across_split
from tools.score import Score
from tools.seal import Sealed, class_counts

NOT_RUN = (columns.CANARY, columns.SINGLE)


@dataclass(frozen=True)
class Beside:
    """What else is known when a result is audited; every part may be missing."""

    predictions: Path | None = None
    score: Score | None = None
    batches: Batches | None = None
    findings: Sequence[Finding] | None = None
    """The critic's remarks on the script."""


def assemble(
    probe: Path,
    contract: Contract,
    sealed: Sealed,
    *,
    predictions: Path | None = None,
    score: Score | None = None,
    batches: Batches | None = None,
    findings: Sequence[Finding] | None = None,
) -> tuple[Probe, ...]:
    """Every probe that applies, each with its finding; a probe that could not run says so and has not passed.

    `probe`: outputs/probe.json of the audit program. With the model's predictions and their score, twins are judged by
    what they change; without them, by their number alone.
    """
    beside = Beside(predictions, score, batches, findings)
    exact, doubles = twins.exact(contract, sealed, predictions, score)
    try:
        measured = read_probe(probe)
    except ValueError as error:
        missing = [Probe(probe=name, passed=False, detail=f"Not run: {error}") for name in NOT_RUN]
        return (*missing, exact, *_of_the_run(sealed, contract, beside))
    counts = {} if contract.task == "regression" else _counts(sealed.train, contract)
    found = [
        columns.canary(measured, contract, counts),
        columns.single(measured, contract, counts),
        exact,
        columns.sums(measured, contract),
        known_later.dates(sealed.train, contract),
        rows.entities(measured, contract),
        rows.later(measured, contract),
        twins.near(contract, sealed, measured.near, doubles, predictions, score) if measured.near else None,
        *_of_the_run(sealed, contract, beside),
        rows.alike(measured, contract),
        rows.labels(measured),
        self_test(measured, columns.shares(counts) if counts else ()),
        _skipped(measured),
    ]
    return tuple(one for one in found if one is not None)


SAME_QUESTION = {"later rows": "order in time", "entities across the split": "unseen entities"}
"""What a probe of the split has measured with more care need not be said twice."""


def once(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """Without those that another one answers better."""
    names = {probe.probe for probe in probes}
    return tuple(probe for probe in probes if SAME_QUESTION.get(probe.probe) not in names)


def _counts(train: Path, contract: Contract) -> dict[str, int]:
    """Training rows of each class, in the contract's order."""
    found = class_counts(pq.read_table(train, columns=[contract.target]).column(0))
    return {label: found.get(label, 0) for label in contract.classes if found.get(label, 0)}


def _skipped(measured: Measured) -> Probe | None:
    if not measured.skipped:
        return None
    detail = f"There was no time for: {', '.join(measured.skipped)}. A longer budget runs them too."
    return Probe(probe="left out", passed="leaking columns" not in measured.skipped, detail=detail)


def _of_the_run(sealed: Sealed, contract: Contract, beside: Beside) -> list[Probe]:
    """What the split, the script and the model themselves show."""
    found = [_time_order(sealed, contract)] if sealed.rule == "time" else []
    if beside.batches is not None:
        found.append(on_their_own(beside.batches))
    return found if beside.findings is None else [*found, _code(beside.findings)]


def _code(findings: Sequence[Finding]) -> Probe:
    """What the critic read in the script itself: preparation that was fitted before rows were set apart."""
    name = "fit before split"
    leaks = [finding for finding in findings if finding.rule.startswith("leakage:")]
    if not leaks:
        detail = "Nothing in the script is fitted on rows that it validates on, as far as reading it can tell."
        return Probe(probe=name, passed=True, detail=detail)
    first = leaks[0]
    return Probe(
        probe=name,
        passed=False,
        detail=f"Line {first.line} of the script: {first.sentence}",
        in_use="The script's own estimate is too good; the score on the sealed rows is not touched by it.",
        evidence={"line": first.line, "rule": first.rule},
    )


def _time_order(sealed: Sealed, contract: Contract) -> Probe:
    """Read from the parts themselves where the date is a feature; else the seal vouches for it."""
    name, column = "time order", contract.split.column or ""
    if column not in contract.features or pa.types.is_string(pq.read_schema(sealed.train).field(column).type):
        detail = f"The sealed rows are the latest by “{column}”; nothing later was used for training."
        return Probe(probe=name, passed=True, detail=detail)
    last, first = _extreme(sealed.train, column, "max"), _extreme(sealed.holdout_features, column, "min")
    detail = f"Training ends with {last}, the sealed rows begin with {first}."
    if last < first:
        return Probe(probe=name, passed=True, detail=detail)
    return Probe(
        probe=name,
        passed=False,
        detail=f"{detail} They overlap, so the future leaks.",
        in_use="In use only the past is known, so the score will fall.",
    )


def _extreme(path: Path, column: str, which: Literal["min", "max"]) -> Any:
    quoted = '"' + column.replace('"', '""') + '"'
    with duckdb.connect() as connection:
        found = connection.execute(f"select {which}({quoted}) from read_parquet(?)", [str(path)]).fetchone()
    return found[0] if found else None
