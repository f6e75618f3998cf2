"""Columns that are computed from others of the same row by a few operations: their functions, names and words.

The functions' text is ours from the first letter to the last; names of columns stand in the script as data only.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tools.contract import Contract, Derived, Formula, Operation

Kind = Literal["number", "date"]
PARAMETERS = ("a", "b")


@dataclass(frozen=True)
class How:
    """One operation: what it takes, what it makes, how it is written and said."""

    takes: tuple[Kind, ...]
    makes: Literal["number", "category"]
    body: str
    docstring: str
    name: str
    """With places for the names of its columns."""
    words: str


OPERATIONS: dict[Operation, How] = {
    "ratio": How(
        ("number", "number"),
        "number",
        "return a / b.where(b != 0)",
        "The first number divided by the second; nothing where the second is 0.",
        "{0}_per_{1}",
        "“{0}” divided by “{1}”",
    ),
    "difference": How(
        ("number", "number"),
        "number",
        "return a - b",
        "The first number less the second.",
        "{0}_minus_{1}",
        "“{0}” less “{1}”",
    ),
    "sum": How(
        ("number", "number"), "number", "return a + b", "Both numbers together.", "{0}_plus_{1}", "“{0}” plus “{1}”"
    ),
    "product": How(
        ("number", "number"),
        "number",
        "return a * b",
        "The first number times the second.",
        "{0}_times_{1}",
        "“{0}” times “{1}”",
    ),
    "log": How(
        ("number",),
        "number",
        "return np.sign(a) * np.log1p(a.abs())",
        "The logarithm of the number's size and one, with the number's sign.",
        "log_{0}",
        "the logarithm of “{0}”",
    ),
    "bin": How(
        ("number",),
        "number",
        "return pd.cut(a, [-np.inf, {edges}, np.inf], labels=False)",
        "Into which of some ranges the number falls.",
        "{0}_range",
        "the range into which “{0}” falls",
    ),
    "year": How(("date",), "number", "return a.dt.year", "The year.", "{0}_year", "the year of “{0}”"),
    "month": How(
        ("date",), "category", "return a.dt.month_name()", "The month's name.", "{0}_month", "the month of “{0}”"
    ),
    "weekday": How(
        ("date",), "category", "return a.dt.day_name()", "The day's name.", "{0}_weekday", "the weekday of “{0}”"
    ),
    "hour": How(("date",), "number", "return a.dt.hour", "The hour of the day.", "{0}_hour", "the hour of “{0}”"),
    "days_between": How(
        ("date", "date"),
        "number",
        "return (b - a).dt.total_seconds() / 86400",
        "Days from the first moment to the second.",
        "days_{0}_to_{1}",
        "the days from “{0}” to “{1}”",
    ),
}


def name_for(operation: Operation, sources: Sequence[str], taken: Collection[str]) -> str:
    """A name that Python takes and nothing else has; of the columns' own names only plain letters are left."""
    parts = [_slug(source) or f"column_{place}" for place, source in enumerate(sources, start=1)]
    name = OPERATIONS[operation].name.format(*parts)
    name = name if name[0].isalpha() else f"c_{name}"
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:20].strip("_")


def in_words(formula: Formula) -> str:
    """ "“debt” divided by “income”", with the edges of its ranges."""
    said = OPERATIONS[formula.operation].words.format(*formula.sources)
    return f"{said} ({_listed(formula.edges)})" if formula.edges else said


def _listed(edges: Sequence[float]) -> str:
    return "limits " + ", ".join(f"{edge:g}" for edge in edges)


def as_derived(formula: Formula) -> Derived:
    """As blueprints have theirs."""
    how, parameters = OPERATIONS[formula.operation], PARAMETERS[: len(formula.sources)]
    return Derived(
        name=formula.name,
        role=how.makes,
        sources=tuple(zip(parameters, formula.sources, strict=True)),
        needs=parameters,
        meaning=f"{in_words(formula)[:1].upper()}{in_words(formula)[1:]}.",
        use=formula.use,
    )


def computed(contract: Contract, script: str) -> list[dict[str, Any]]:
    """For report.json: each computed column, and whether the script computes it."""
    return [
        {
            "name": one.name,
            "how": in_words(one),
            "from": list(one.sources),
            "reason": one.reason,
            "by": one.by,
            "used": one.use and f"def {one.name}(" in script,
        }
        for one in contract.formulas
    ]


def formula_facts(formulas: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Name and text of a contract's computed columns, for a terminal."""
    facts = []
    for one in formulas:
        state = "" if one["use"] else " (switched off)"
        why = f"{one['reason']}, says {one['by']}" if one["reason"] else one["by"]
        facts.append(("Computed", f"{one['name']}{state}: {in_words(Formula.model_validate(one))} ({why})"))
    return facts


def kinds_of(formulas: Sequence[Formula]) -> dict[str, str]:
    """Column of the table -> as what the functions take it."""
    return {
        source: kind
        for formula in formulas
        for source, kind in zip(formula.sources, OPERATIONS[formula.operation].takes, strict=True)
    }


def function_of(formula: Formula) -> str:
    """The function's text."""
    how = OPERATIONS[formula.operation]
    body = how.body.format(edges=", ".join(repr(edge) for edge in formula.edges)) if formula.edges else how.body
    head = f"def {formula.name}({', '.join(PARAMETERS[: len(how.takes)])}):"
    return f'{head}\n    """{how.docstring}"""\n    {body}'
