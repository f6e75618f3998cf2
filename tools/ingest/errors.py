"""What is wrong with the user's file, said in one sentence each."""

READABLE = "CSV, TSV, Excel (.xlsx), JSON, NDJSON or Parquet"


class IngestError(ValueError):
    """The user's input cannot become a table; the text is one sentence that says what was seen and what would work."""


def counted(number: int, noun: str) -> str:
    """`counted(1200, "row")` -> "1,200 rows"."""
    plural = noun if number == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"


def named(names: list[str], most: int = 5) -> str:
    """`named(["a", "b"])` -> "'a', 'b'"; a long list is cut with "and 7 more"."""
    shown = ", ".join(f"'{shortened(name)}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def shortened(text: str, most: int = 60) -> str:
    """One line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
