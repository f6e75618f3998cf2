"""How much a file may ask of us."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds that keep reading a hostile or huge file finite; all sizes in bytes."""

    file: int = 20_000 * MIB
    unpacked: int = 20_000 * MIB
    """What a .gz or a workbook may grow to."""
    workbook: int = 1_000 * MIB
    """Unpacked size of an Excel file: it is parsed in memory."""
    ratio: int = 200
    """Growth beyond this factor is a bomb, once `ratio_from` bytes are out."""
    ratio_from: int = 50 * MIB
    json_document: int = 200 * MIB
    """One JSON document is parsed in memory; NDJSON has no such bound."""
    columns: int = 20_000
    line: int = 16 * MIB
    """The longest record of a text table."""
    rejected_shown: int = 100
    memory: int = 4_000 * MIB
    """What the engine may reserve before it spills to its own folder; half of the machine's memory at most. A table of
    10 000 columns reserves 2 to 3 GB and touches a fifth of that."""
