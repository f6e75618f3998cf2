"""Puts the figures of a benchmark into the README (or another page), between the two marks that carry its name."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def put_into_readme(name: str, text: str, page: str = "README.md") -> None:
    """Replace what is between the marks. LookupError when the page has no such marks."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    readme = ROOT / page
    before, first_mark, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, second_mark, after = rest.partition(end)
    if not first_mark or not second_mark:
        raise LookupError(f"{page} has no marks {begin} and {end}.")
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
