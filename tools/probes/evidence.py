"""What the audit program (tools/recipes/audit.py) measured: figures from a sandbox, so every field is checked."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_PROBE_BYTES = 5_000_000
MAX_ROWS = 10_000_000

Figure = Annotated[float, Field(ge=-1e12, le=1e12)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rows = Annotated[int, Field(ge=0, le=MAX_ROWS)]
Name = Annotated[str, Field(max_length=10_000)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class OneClass(_Read):
    """How well one class is told from the rest."""

    code: Rows = Field(alias="class")
    rows: Rows
    left: Figure
    others_left: Figure


class Weighed(_Read):
    """One column beside all the others; `left` is the share of the target that stays unknown, 0 to about 1."""

    column: Name
    view: str = Field(max_length=80)
    """"values", or which part of the value tells it, e.g. "filled or not", "character 3"."""
    power: Figure
    others: Figure
    """What all columns but this one (and those that say the same) reach together."""
    left: Figure
    others_left: Figure
    rows: Rows
    given: Rows
    """Rows of whose class the column alone is sure."""
    given_right: Share
    given_gain: Figure
    """By how much the others' loss on these rows is larger."""
    one_to_one: Share
    same: Figure
    rank_left: Figure = 1.0
    """The share of the order of the target that stays unknown; numbers only."""
    others_rank_left: Figure = 1.0
    filled: Rows = 0
    """Rows in which the column says something, where those are a part only."""
    filled_left: Figure = 1.0
    filled_others_left: Figure = 1.0
    classes: tuple[OneClass, ...] = Field(default=(), max_length=10_000)


class Identity(_Read):
    """The target as a weighted sum (of logarithms: a product) of a few columns."""

    scale: str = Field(pattern="^(raw|log)$")
    columns: tuple[Name, ...] = Field(min_length=1, max_length=100)
    weights: tuple[Figure, ...]
    alone: tuple[Figure, ...]
    """R² of each part without the others."""
    r2: Figure
    rows: Rows
    others: Figure
    others_left: Figure


class Order(_Read):
    """Later rows told from earlier ones, beside the same rows told from a random part."""

    column: Name
    later: Figure
    random: Figure
    z: Figure
    rows: Rows


class Entity(_Read):
    """Rows of entities that training has not seen, beside the same rows told at random."""

    column: Name
    new: Figure
    known: Figure
    z: Figure
    entities: Rows
    rows: Rows


class Near(_Read):
    """Pairs of (hold-out row, training row) that stand far nearer than rows do."""

    asked: Rows
    pairs: tuple[tuple[Rows, Rows], ...] = Field(max_length=100_000)


class Labels(_Read):
    """Rows that are surely another class than their label says."""

    rows: Rows
    suspicious: Rows


class Apart(_Read):
    """How well hold-out rows can be told from training rows."""

    auc: Share
    z: Figure


class Measured(_Read):
    """outputs/probe.json."""

    metric: str = Field(pattern="^(roc_auc|balanced_accuracy|r2)$")
    rows: int = Field(ge=1, le=MAX_ROWS)
    real: float | None = Field(ge=-1e9, le=1.0)
    shuffled: tuple[Figure, ...] = Field(max_length=20)
    single: dict[str, Figure] = Field(max_length=100_000)
    suspects: tuple[Weighed, ...] = Field(default=(), max_length=100)
    identities: tuple[Identity, ...] = Field(default=(), max_length=10)
    order: tuple[Order, ...] = Field(default=(), max_length=100)
    entities: tuple[Entity, ...] = Field(default=(), max_length=100)
    near: Near | None = None
    labels: Labels | None = None
    apart: Apart | None = None
    self_test: tuple[Weighed, ...] = Field(default=(), max_length=100)
    self_test_sum: tuple[Identity, ...] = Field(default=(), max_length=2)
    skipped: tuple[str, ...] = Field(default=(), max_length=50)


def read_probe(path: Path) -> Measured:
    """What the audit program wrote; raises ValueError with a sentence for anything else."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_PROBE_BYTES:
        raise ValueError("The audit program left no probe.json of a sensible size.")
    try:
        return Measured.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"probe.json is not what the audit program writes: {error.errors()[0]['msg']}.") from error
