"""What a table is like: counts, roles, gaps, distributions, duplicates, quality. All that a model may see of it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from tools.ingest import Dataset
from tools.ingest.asking import NARROW
from tools.ingest.engine import open_engine, text_literal
from tools.profiling.facts import QUANTILES, Facts, gather_facts
from tools.profiling.model import ColumnProfile, Histogram, Profile, QualityPart, TargetView, ValueCount
from tools.profiling.neighbours import near_duplicates, with_likeness
from tools.profiling.quality import quality_parts
from tools.profiling.roles import role_of
from tools.profiling.values import TOP, count_values, histograms

__all__ = [
    "ColumnProfile",
    "Histogram",
    "Profile",
    "QualityPart",
    "TargetView",
    "ValueCount",
    "profile",
    "target_view",
]

FEW_VALUES = 20
"""In a wide table only so few values of a number are listed."""
MOSTLY_MISSING = 0.5
MANY_LEVELS = 1_000


def profile(dataset: Dataset, *, target: str | None = None) -> Profile:
    """Describe every column by SQL over the Parquet file; LookupError when `target` is not a column."""
    if target is not None:
        dataset.column(target)
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        # Sums of several threads differ in their last digits from run to run.
        engine = open_engine(Path(folder), reads=(dataset.path,), settings={"threads": "1"})
        try:
            relation = _opened(engine, dataset)
            columns = _columns(engine, relation, dataset)
            duplicates = _duplicates(engine, relation, dataset.rows)
            near = near_duplicates(engine, relation, columns, dataset.rows)
            columns = with_likeness(engine, relation, columns)
        finally:
            engine.close()
    parts = quality_parts(dataset, columns, duplicates)
    found = Profile(
        dataset_id=dataset.id,
        rows=dataset.rows,
        columns=columns,
        duplicate_rows=duplicates,
        near_duplicate_rows=max(near, duplicates),
        quality=round(max(0.0, 100.0 - sum(part.points_lost for part in parts)), 1),
        quality_parts=parts,
        warnings=_warnings(dataset, columns, parts),
    )
    return found.model_copy(update={"target": target_view(found, target)}) if target is not None else found


def target_view(found: Profile, target: str) -> TargetView:
    """The distribution of one column, as a target; LookupError when there is no such column."""
    column = found.column(target)
    return TargetView(
        name=column.name,
        role=column.role,
        is_numeric=column.is_numeric,
        missing=column.missing,
        missing_share=column.missing_share,
        distinct=column.distinct,
        classes=column.top if column.top_complete else (),
        histogram=column.histogram,
    )


def _opened(engine: duckdb.DuckDBPyConnection, dataset: Dataset) -> str:
    engine.execute(f"CREATE VIEW data AS SELECT * FROM read_parquet({text_literal(str(dataset.path.resolve()))})")
    return "data"


def _columns(engine: duckdb.DuckDBPyConnection, relation: str, dataset: Dataset) -> tuple[ColumnProfile, ...]:
    facts = gather_facts(engine, relation, dataset.columns, dataset.rows)
    tops = count_values(engine, relation, [column for column in facts if _is_countable(column, len(facts))])
    shapes = histograms(engine, relation, facts)
    return tuple(_column(column, tops.get(column.column.name, ()), shapes) for column in facts)


def _is_countable(facts: Facts, width: int) -> bool:
    """Its values can be listed: few of them, or texts that repeat."""
    if facts.column.type == "text":
        return facts.distinct <= TOP or facts.unique_share <= 0.5
    return facts.distinct <= (TOP if width <= NARROW else FEW_VALUES)


def _column(facts: Facts, top: tuple[ValueCount, ...], shapes: Mapping[str, Histogram]) -> ColumnProfile:
    role, evidence = role_of(facts, top)
    missing = facts.rows - facts.filled
    listed = top if role not in ("id", "text") or len(top) == facts.distinct else ()
    quantiles = dict(zip(QUANTILES, facts.quantiles, strict=True)) if facts.quantiles else {}
    return ColumnProfile(
        name=facts.column.name,
        type=facts.column.type,
        role=role,
        evidence=evidence,
        missing=missing,
        missing_share=round(missing / max(facts.rows, 1), 6),
        distinct=facts.distinct,
        distinct_exact=facts.distinct_exact or len(top) == facts.distinct,
        unique_share=round(facts.unique_share, 6),
        minimum=facts.minimum,
        maximum=facts.maximum,
        mean=facts.mean,
        std=facts.std,
        quantiles=quantiles,
        histogram=shapes.get(facts.column.name),
        top=listed,
        top_complete=sum(item.count for item in listed) == facts.filled,
        text_length_mean=facts.length,
        infinite=facts.infinite,
        is_integer_valued=facts.is_whole,
        is_sorted=facts.is_sorted,
        steps_up=None if facts.steps_up is None else round(facts.steps_up, 6),
        warnings=tuple(_column_warnings(facts, role, missing)),
    )


def _column_warnings(facts: Facts, role: str, missing: int) -> list[str]:
    name, said = facts.column.name, []
    share = missing / max(facts.rows, 1)
    if MOSTLY_MISSING < share < 1:
        said.append(f"'{name}' is missing in {share:.0%} of the rows.")
    if facts.infinite:
        said.append(f"'{name}' has {facts.infinite:,} infinite values.")
    if role in ("category", "boolean") and facts.spellings and facts.spellings < facts.distinct:
        extra = facts.distinct - facts.spellings
        said.append(f"'{name}' has {extra:,} more spellings than values: capitals or blanks around them differ.")
    if role == "category" and facts.distinct > MANY_LEVELS:
        said.append(f"'{name}' has {facts.distinct:,} categories; rare ones say little.")
    if facts.column.note and "swapped" in facts.column.note:
        said.append(f"'{name}' was {facts.column.note}.")
    return said


def _duplicates(engine: duckdb.DuckDBPyConnection, relation: str, rows: int) -> int:
    """Rows equal to an earlier one, by a 64-bit hash of all cells (two rows in 10 million million collide)."""
    found = engine.execute(f"SELECT count(DISTINCT hash(*COLUMNS(*))) FROM {relation}").fetchall()
    return rows - int(found[0][0])


def _warnings(dataset: Dataset, columns: Sequence[ColumnProfile], parts: Sequence[QualityPart]) -> tuple[str, ...]:
    """What matters first: reasons for lost points, then single columns, then order in time."""
    said = [part.sentence for part in parts]
    said += [warning for column in columns for warning in column.warnings]
    rising = [column.name for column in columns if column.is_sorted and column.role == "date"]
    if rising:
        said.append(f"The rows are in the order of '{rising[0]}'; later rows may differ from earlier ones.")
    if len(columns) > dataset.rows > 0:
        said.append(f"There are more columns ({len(columns):,}) than rows ({dataset.rows:,}).")
    return tuple(said)
