"""What a table looks like from outside: names, types, roles, a few values. Enough to understand a request about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from tools.ingest import Dataset
from tools.profile import Profile


@dataclass(frozen=True)
class SchemaColumn:
    """One column; what is not known yet is None or empty."""

    name: str
    type: str = ""
    """One of tools.ingest.ColumnType."""
    role: str | None = None
    """One of tools.contract.Role."""
    distinct: int | None = None
    values: tuple[str, ...] = ()
    """The most frequent values as text, most frequent first."""
    original: str = ""
    """The name in the file, when reading had to change it."""


@dataclass(frozen=True)
class Schema:
    """The columns of a table in table order."""

    columns: tuple[SchemaColumn, ...]
    rows: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in table order."""
        return tuple(column.name for column in self.columns)

    def get(self, name: str) -> SchemaColumn | None:
        """The column of exactly this name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def schema_of(profile: Profile | None = None, dataset: Dataset | None = None) -> Schema:
    """The schema of a table that was profiled, or only read; the dataset adds the names that the file used."""
    originals = {column.name: column.original for column in dataset.columns} if dataset else {}
    if profile is None:
        return Schema(
            tuple(
                SchemaColumn(column.name, column.type, original=column.original)
                for column in (dataset.columns if dataset else ())
            ),
            dataset.rows if dataset else None,
        )
    return Schema(
        tuple(
            SchemaColumn(
                name=column.name,
                type=column.type,
                role=column.role,
                distinct=column.distinct,
                values=tuple(item.value for item in column.top),
                original=originals.get(column.name, ""),
            )
            for column in profile.columns
        ),
        profile.rows,
    )


def schema_of_names(names: Iterable[str]) -> Schema:
    """A schema of which only the names are known."""
    return Schema(tuple(SchemaColumn(name) for name in names))
