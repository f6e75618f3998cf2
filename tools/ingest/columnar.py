"""Parquet into the raw relation: its own types are kept, what has no place in a table of plain columns is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.sqltypes import DuckDBPyType

from tools.ingest.cells import Verdict
from tools.ingest.engine import identifier, tally, text_literal
from tools.ingest.errors import IngestError, counted
from tools.ingest.limits import Limits
from tools.ingest.raw import Raw, too_wide

INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
HUGE = {"UBIGINT", "HUGEINT", "UHUGEINT"}
BATCH = 200
UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True)
class Leaf:
    """One plain column: a top-level one or a field inside a STRUCT."""

    name: str
    expression: str
    type: str


def read_parquet(engine: duckdb.DuckDBPyConnection, path: Path, name: str, limits: Limits) -> Raw:
    """The raw relation with the file's own types, structs opened into a.b."""
    scan = f"read_parquet({text_literal(str(path))})"
    try:
        relation = engine.sql(f"SELECT * FROM {scan} LIMIT 0")
        columns = list(zip(relation.columns, relation.types, strict=True))
        leaves = [leaf for column, kind in columns for leaf in _leaves(column, identifier(column), kind)]
        if len(leaves) > limits.columns:
            raise too_wide(len(leaves), limits)
        listed = ", ".join(f"{leaf.expression} AS c{index}" for index, leaf in enumerate(leaves))
        engine.execute(f"CREATE VIEW raw AS SELECT {listed} FROM {scan}")
        rows = int((engine.execute("SELECT count(*) FROM raw").fetchone() or (0,))[0])
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.SerializationException):
        raise IngestError(f"The Parquet file {name} is broken or incomplete; save or download it again.") from None
    if rows == 0:
        raise IngestError(f"The Parquet file {name} has {counted(len(leaves), 'column')} but no rows.")
    opened = len(leaves) - len(columns)
    nested = ["Nested fields were opened into columns such as 'a.b'."] if opened else []
    account = (*nested, *_durations(path))
    return Raw(
        "raw", tuple(leaf.name for leaf in leaves), rows, "Parquet", tuple(leaf.type for leaf in leaves), False, account
    )


def _durations(path: Path) -> list[str]:
    """Parquet has no type for durations: Arrow's are whole numbers with a note of their unit."""
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return []  # the engine can read files that Arrow cannot
    return [
        f"Column '{name}' holds durations; they were read as whole {UNITS[kind.unit]}."
        for name, kind in _arrow_leaves("", list(schema))
        if isinstance(kind, pa.DurationType)
    ]


def _arrow_leaves(above: str, fields: Sequence[pa.Field]) -> list[tuple[str, pa.DataType]]:
    found = []
    for field in fields:
        if pa.types.is_struct(field.type):
            found += _arrow_leaves(f"{above}{field.name}.", list(field.type))
        else:
            found.append((f"{above}{field.name}", field.type))
    return found


def _leaves(name: str, expression: str, kind: DuckDBPyType) -> list[Leaf]:
    if kind.id != "struct":
        return [Leaf(name, expression, str(kind))]
    found = []
    for field, inner in kind.children:
        if not isinstance(inner, DuckDBPyType):
            continue
        path = f"struct_extract({expression}, {text_literal(field)})"
        found += _leaves(f"{name}.{field}", path, inner)
    return found


def typed_columns(engine: duckdb.DuckDBPyConnection, raw: Raw, names: Sequence[str]) -> list[Verdict]:
    """The file's types as ours."""
    return [
        _typed(engine, raw.relation, f"c{index}", name, kind)
        for index, (name, kind) in enumerate(zip(names, raw.types, strict=True))
    ]


def _typed(engine: duckdb.DuckDBPyConnection, relation: str, column: str, name: str, kind: str) -> Verdict:
    if kind in INTEGERS:
        return Verdict(f"CAST({column} AS BIGINT)", "integer")
    if kind in HUGE or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return _huge(engine, relation, column, name)
    if kind in {"FLOAT", "DOUBLE"}:
        return _floating(engine, relation, column, name)
    if kind.startswith("DECIMAL"):
        said = f"Column '{name}' holds fixed decimals; they were read as floating-point numbers."
        return Verdict(f"CAST({column} AS DOUBLE)", "number", (said,))
    if kind == "BOOLEAN":
        return Verdict(column, "boolean")
    if kind == "DATE":
        return Verdict(column, "date")
    if kind.startswith("TIMESTAMP"):
        return _moment(engine, relation, column, name, kind)
    if kind == "BLOB":
        return _bytes(engine, relation, column, name)
    if kind.endswith("]") or kind.startswith("MAP") or kind in {"JSON", "VARIANT"}:
        return Verdict(
            f"CAST(to_json({column}) AS VARCHAR)", "text", (f"Column '{name}' holds lists or maps; kept as JSON text.",)
        )
    return Verdict(f"CAST({column} AS VARCHAR)", "text")


def _huge(engine: duckdb.DuckDBPyConnection, relation: str, column: str, name: str) -> Verdict:
    too_large = _number(engine, f"SELECT count({column}) - count(try_cast({column} AS BIGINT)) FROM {relation}")
    if not too_large:
        return Verdict(f"CAST({column} AS BIGINT)", "integer")
    values = counted(too_large, "value")
    said = f"Column '{name}' was kept as text: {values} too large for a 64-bit integer would not stay exact."
    return Verdict(f"CAST({column} AS VARCHAR)", "text", (said,), "kept as text so that no digit is lost")


def _floating(engine: duckdb.DuckDBPyConnection, relation: str, column: str, name: str) -> Verdict:
    query = f"SELECT {tally(f'isnan({column})')}, {tally(f'isinf({column})')} FROM {relation}"
    empty, infinite = engine.execute(query).fetchone() or (0, 0)
    said = []
    if empty:
        said.append(f"Column '{name}': {counted(empty, 'NaN value')} read as missing.")
    if infinite:
        said.append(f"Column '{name}' holds {counted(infinite, 'infinite value')}, kept as they are.")
    value = f"CAST({column} AS DOUBLE)"
    return Verdict(f"CASE WHEN NOT isnan({column}) THEN {value} END" if empty else value, "number", tuple(said))


def _moment(engine: duckdb.DuckDBPyConnection, relation: str, column: str, name: str, kind: str) -> Verdict:
    if kind == "TIMESTAMP WITH TIME ZONE":
        said = f"Column '{name}': times with a zone were converted to UTC."
        return Verdict(f"({column} AT TIME ZONE 'UTC')", "datetime", (said,))
    if kind == "TIMESTAMP_NS":
        cut = _number(engine, f"SELECT {tally(f'epoch_ns({column}) % 1000 <> 0')} FROM {relation}")
        said = f"Column '{name}': {counted(cut, 'time')} cut to microseconds."
        return Verdict(f"CAST({column} AS TIMESTAMP)", "datetime", (said,) if cut else ())
    return Verdict(f"CAST({column} AS TIMESTAMP)", "datetime")


def _bytes(engine: duckdb.DuckDBPyConnection, relation: str, column: str, name: str) -> Verdict:
    try:
        engine.execute(f"SELECT max(length(decode({column}))) FROM {relation}").fetchall()
    except duckdb.ConversionException:
        return Verdict(f"hex({column})", "text", (f"Column '{name}' holds binary data; kept as hexadecimal text.",))
    return Verdict(f"decode({column})", "text")


def _number(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0
