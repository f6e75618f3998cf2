"""What is known of a table: everything is counted, nothing is a guess but the roles, which carry their evidence."""

from pydantic import BaseModel, ConfigDict

from tools.contract import Role
from tools.ingest import ColumnType

FROZEN = ConfigDict(frozen=True)


class ValueCount(BaseModel):
    """One value as text (class labels: 1 and 1.0 are "1", booleans "True"/"False") and its rows."""

    model_config = FROZEN

    value: str
    count: int


class Histogram(BaseModel):
    """Finite values in bins of equal width; `edges` has one more entry than `counts`, the last bin includes its end."""

    model_config = FROZEN

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class ColumnProfile(BaseModel):
    """One column."""

    model_config = FROZEN

    name: str
    type: ColumnType
    role: Role
    evidence: str
    """Why it has this role, one sentence."""
    missing: int
    missing_share: float
    """0 to 1."""
    distinct: int
    """Different values, missing not counted."""
    distinct_exact: bool = True
    """False above a million rows with many values: an estimate within a few percent."""
    unique_share: float
    """distinct / rows with a value; 0 when there is none."""
    minimum: float | str | None = None
    """A number; for dates ISO 8601 text; None for text and where there is no finite value."""
    maximum: float | str | None = None
    mean: float | None = None
    std: float | None = None
    """Sample standard deviation (ddof 1)."""
    quantiles: dict[str, float] = {}
    """"p01", "p05", "p25", "p50", "p75", "p95", "p99" (linear interpolation); empty for what is no number."""
    histogram: Histogram | None = None
    top: tuple[ValueCount, ...] = ()
    """Most frequent values first, at most 100; empty for ids, free text and numbers with many values."""
    top_complete: bool = False
    """True: `top` holds every value of the column."""
    text_length_mean: float | None = None
    infinite: int = 0
    """Values that are infinite; minimum, mean and the like leave them out."""
    is_integer_valued: bool = False
    """A number column (or integer) without fractions."""
    is_sorted: bool = False
    """Values only rise or only fall with row order (integers and dates; more than one value)."""
    steps_up: float | None = None
    """Of the steps from a row to the next that change the value the share that raises it; None where not asked."""
    like_the_row_before: float | None = None
    """0: neighbouring rows are no more alike than any two, 1: they are equal. Asked where a row counter is."""
    warnings: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Stored as a number."""
        return self.type in ("integer", "number")

    @property
    def counts(self) -> dict[str, int]:
        """Rows per value, most frequent first; LookupError when there are too many values to list."""
        if not self.top_complete:
            raise LookupError(f"Column {self.name!r} has too many values to list ({self.distinct:,})")
        return {item.value: item.count for item in self.top}


class QualityPart(BaseModel):
    """One reason why the quality is not 100."""

    model_config = FROZEN

    name: str
    points_lost: float
    sentence: str


class TargetView(BaseModel):
    """The target's distribution: classes, or a histogram, or both."""

    model_config = FROZEN

    name: str
    role: Role
    is_numeric: bool
    missing: int
    missing_share: float
    distinct: int
    classes: tuple[ValueCount, ...] = ()
    """Every class with its rows, most frequent first; empty when there are more than 100."""
    histogram: Histogram | None = None


class Profile(BaseModel):
    """The table: counts, roles, quality, warnings."""

    model_config = FROZEN

    dataset_id: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    duplicate_rows: int
    """Rows that are equal to an earlier one in every column."""
    near_duplicate_rows: int = 0
    """Rows that are equal to an earlier one but for ids, dates and the third digit of numbers, exact ones included."""
    quality: float
    """0 to 100; 100 minus the points of the parts."""
    quality_parts: tuple[QualityPart, ...] = ()
    warnings: tuple[str, ...] = ()
    target: TargetView | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ColumnProfile:
        """The column of that name; LookupError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise LookupError(f"No column {name!r} in the profile")

    @property
    def missingness(self) -> tuple[tuple[str, float], ...]:
        """Columns with gaps and their share (0 to 1), the emptiest first: data for a chart."""
        gaps = [(column.name, column.missing_share) for column in self.columns if column.missing]
        return tuple(sorted(gaps, key=lambda pair: (-pair[1], pair[0])))
