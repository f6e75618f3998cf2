"""Puts the computed columns of a contract into its training script; without any it stays as it is."""

import ast
from pprint import pformat

from tools.blueprints.source import only_used
from tools.contract import Contract, Derived, Formula
from tools.formulas import as_derived, function_of, kinds_of
from tools.syntax import tree_of

OWN_NAMES = frozenset({"DERIVED", "DERIVED_FROM", "DERIVED_BY", "PROVED", "computed", "typed", "with_derived"})
"""What is added to the script besides the functions themselves."""

_TEXT = '''# ---- columns that are computed from others of the same row{title}

# computed column -> {{parameter of its function: column of the table}}
DERIVED = {derived}
DERIVED_FROM = {kinds}
{functions}

DERIVED_BY = {{
{by}
}}


PROVED = []  # names of computed columns that have been seen to depend on their own row alone


def typed(column, kind):
    """A column as the functions expect it: numbers, moments, 1.0 and 0.0 for yes and no, else text."""
    if kind == "number":
        return pd.to_numeric(column, errors="coerce").astype(float)
    if kind == "date":
        return pd.to_datetime(column, errors="coerce", utc=True)
    known = column.dropna().unique()
    names = {{v: str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in known}}
    if kind != "boolean":
        return column.astype(object).map(names).astype("str")  # also when nothing is known
    no = ("no", "n", "false", "0", "none")
    flags = {{v: float(name.lower().split(" ")[0] not in no) for v, name in names.items()}}
    return column.astype(object).map(flags).astype(float)


def computed(table):
    """Every computed column of the rows of a table: name -> numbers, or text."""
    table = table.reindex(columns=list(DERIVED_FROM))
    given, made = {{name: typed(table[name], kind) for name, kind in DERIVED_FROM.items()}}, {{}}
    for name, sources in DERIVED.items():
        values = DERIVED_BY[name](**{{parameter: given[column] for parameter, column in sources.items()}})
        if not isinstance(values, pd.Series):
            values = pd.Series(values, index=table.index)
        made[name] = pd.to_numeric(values, errors="coerce").astype(float) if name in NUMBERS else values.astype(object)
    return made


def with_derived(table):
    """The table with its computed columns. That each row's own values alone decide is tried out once."""
    made = computed(table)
    if len(table) > 1 and not PROVED:
        alone = computed(table.iloc[:1000:2])
        for name in DERIVED:
            one, other = alone[name], made[name].iloc[:1000:2]
            known = one.notna() & other.notna()
            near = np.allclose if name in NUMBERS else np.array_equal
            if not one.notna().equals(other.notna()) or not near(one[known], other[known]):
                raise ValueError(f"The computed column {{name}} looks at other rows; it may use its own row only.")
        PROVED.extend(DERIVED)
    return table.assign(**made)


'''


def active(contract: Contract) -> tuple[Derived, ...]:
    """The computed columns that are on and whose sources are features; the others need something that is left out."""
    features = frozenset(contract.features)
    offered = [*(contract.blueprint.derived if contract.blueprint else ()), *map(as_derived, _formulas(contract))]
    kept = []
    for one in offered:
        sources = tuple((parameter, name) for parameter, name in one.sources if name in features)
        if one.use and sources and all(parameter in dict(sources) for parameter in one.needs):
            kept.append(one.model_copy(update={"sources": sources}))
    return tuple(kept)


def _formulas(contract: Contract) -> list[Formula]:
    """Those that get on with the blueprint: a column is read as one kind, and a name is given once."""
    part = contract.blueprint
    if part is None:
        return list(contract.formulas)
    kinds, names = dict(part.kinds), {one.name for one in part.derived}
    return [
        formula
        for formula in contract.formulas
        if formula.name not in names
        and all(kinds.get(column, kind) == kind for column, kind in kinds_of([formula]).items())
    ]


def parameters(contract: Contract, kinds: dict[str, list[str]]) -> dict[str, list[str]]:
    """NUMBERS and CATEGORIES with the computed columns among them."""
    numbers = [one.name for one in active(contract) if one.role == "number"]
    categories = [one.name for one in active(contract) if one.role == "category"]
    if not numbers and not categories:
        return kinds
    return {**kinds, "NUMBERS": kinds["NUMBERS"] + numbers, "CATEGORIES": kinds["CATEGORIES"] + categories}


def with_functions(script: str, contract: Contract) -> str:
    """The script with the functions of the computed columns above `tidy`, which then begins with them."""
    columns = active(contract)
    if not columns:
        return script
    tidy = next((node for node in tree_of(script).body if getattr(node, "name", "") == "tidy"), None)
    if not isinstance(tidy, ast.FunctionDef):
        raise LookupError("The recipe has no function tidy(table), so nothing can be computed in it.")
    table = tidy.args.args[0].arg
    lines = script.splitlines(keepends=True)
    first = tidy.body[1 if ast.get_docstring(tidy) else 0].lineno - 1
    start = min([tidy.lineno, *(decorator.lineno for decorator in tidy.decorator_list)]) - 1
    return "".join(
        [
            *lines[:start],
            _block(contract, columns),
            *lines[start:first],
            f"    {table} = with_derived({table})\n",
            *lines[first:],
        ]
    )


def _block(contract: Contract, columns: tuple[Derived, ...]) -> str:
    part, formulas = contract.blueprint, _formulas(contract)
    known = {**kinds_of(formulas), **dict(part.kinds if part else ())}
    kinds = {name: known[name] for one in columns for _, name in one.sources}
    code = "\n\n\n".join([*([part.code] if part else []), *map(function_of, formulas)])
    return _TEXT.format(
        title=f" (blueprint: {' '.join(part.title.split())})" if part else "",
        derived=_literal({one.name: dict(one.sources) for one in columns}),
        kinds=_literal(kinds),
        functions="\n\n" + only_used(code, [one.name for one in columns]) + "\n",
        by="\n".join(f'    "{one.name}": {one.name},' for one in columns),
    )


def _literal(value: dict[str, object] | dict[str, dict[str, str]] | dict[str, str]) -> str:
    written = pformat(value, width=108, compact=True, sort_dicts=False)
    return written if "\n" not in written else f"{{\n {written[1:-1]},\n}}"
