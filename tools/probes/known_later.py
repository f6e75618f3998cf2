"""Dates: that of the row itself, known beforehand, and those that lie after it, which nobody could have known then."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import Contract
from tools.probes.finding import Probe, without_columns

NAME = "dates after the row"
MOSTLY = 0.5
"""Share of the rows in which a date lies after the moment of the row."""


def dates(train: Path, contract: Contract) -> Probe | None:
    """Compares each date with the one that the rows are split by; None where there are no two dates to compare."""
    schema = pq.read_schema(train)
    moments = [plan.name for plan in contract.columns if plan.use and plan.role == "date" and plan.name in schema.names]
    moments = [name for name in moments if pa.types.is_temporal(schema.field(name).type)]
    moment = contract.split.column if contract.split.rule == "time" else None
    others = [name for name in moments if name != moment]
    if moment not in moments or not others:
        return None
    after = {name: _share_after(train, name, str(moment)) for name in others}
    late = [name for name in others if after[name] >= MOSTLY]
    if not late:
        worst = max(after, key=lambda name: after[name])
        detail = f"“{worst}” lies after “{moment}” in {after[worst]:.1%} of the rows; no date is mostly later."
        return Probe(probe=NAME, passed=True, detail=detail)
    first = late[0]
    return Probe(
        probe=NAME,
        passed=False,
        detail=f"“{first}” lies after “{moment}”, the moment of the row, in {after[first]:.1%} of the rows.",
        in_use=f"In use “{first}” has not happened yet when the prediction is wanted, so the column will be empty.",
        evidence={"column": first, "share": after[first]},
        repair=without_columns(late, contract.features),
    )


def moments(contract: Contract) -> frozenset[str]:
    """Columns that say when a row happened, so that they are there before the answer is.

    For a number any date may follow a trend; that a class follows a date is believed only of the date that orders the
    rows, or of the only one.
    """
    dated = {plan.name for plan in contract.columns if plan.use and plan.role == "date"}
    by = contract.split.column if contract.split.rule == "time" else contract.split.ordered_by
    ordering = {by} if by else set()
    return frozenset(ordering | dated) if not contract.classes or len(dated) == 1 else frozenset(ordering)


def _share_after(train: Path, name: str, moment: str) -> float:
    one, other = ('"' + column.replace('"', '""') + '"' for column in (name, moment))
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(
            f"select avg(({one}::timestamp > {other}::timestamp)::int) from read_parquet(?) "
            f"where {one} is not null and {other} is not null",
            [str(train)],
        ).fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0
