"""What a language model advises about a plan, held against the profile: made where the table supports it, else offered.

Nothing that the user said is changed. What the table supports is made and said; what it neither supports nor forbids is
a proposal that the user makes with one click; what does not fit the table is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from agents.language.words import quoted
from agents.planning.columns import EDITED_IN, counts_like
from agents.planning.evidence import evidence_of
from agents.planning.judging import check_metric
from agents.planning.split import check_split
from agents.state import Request
from tools.blueprints.code import taken_names
from tools.blueprints.script import active
from tools.blueprints.source import names_of
from tools.contract import ColumnPlan, Contract, ContractError, Formula, Operation, Proposal, SplitRule
from tools.formulas import OPERATIONS, in_words, name_for
from tools.metrics import METRICS
from tools.profile import ColumnProfile, Profile

MOST_FORMULAS = 8
MOST_PROPOSALS = 6
EMPTY, SAME = 0.95, 0.995
"""Share of rows without a value, or with one and the same, from which on a column says next to nothing."""
LEAST_ROWS = 50
"""Of fewer, counts that agree may do so by chance."""
_SUPPORTED = " The table supports it: "
"""In the reason of a column that was left out on advice; by it the column is known again."""


# ---- computed columns


def formula(
    operation: str, columns: Sequence[str], contract: Contract, profile: Profile, *, reason: str, by: str, use: bool
) -> Formula | None:
    """A computed column, when its columns are features of the right kind and nothing computes it yet."""
    if operation not in get_args(Operation):
        return None
    known = cast(Operation, operation)
    takes, sources = OPERATIONS[known].takes, tuple(columns)
    if len(sources) != len(takes) or len(set(sources)) != len(sources) or not set(sources) <= set(contract.features):
        return None
    if not all(_fits(profile.column(name), kind) for name, kind in zip(sources, takes, strict=True)):
        return None
    if any((one.operation, one.sources) == (known, sources) for one in contract.formulas):
        return None
    edges = _edges(profile.column(sources[0])) if known == "bin" else ()
    if known == "bin" and not edges:
        return None
    name = name_for(known, sources, _taken(contract, profile))
    made = Formula(name=name, operation=known, sources=sources, edges=edges, reason=reason, by=by, use=use)
    computed = [one.name for one in active(_with(contract, formulas=(*contract.formulas, _on(made))))]
    return made if name in computed else None


def _on(one: Formula) -> Formula:
    return one.model_copy(update={"use": True})


def _taken(contract: Contract, profile: Profile) -> set[str]:
    """Names of the script, of the table, and of what is computed already."""
    part = contract.blueprint
    ours = {one.name for one in contract.formulas} | ({one.name for one in part.derived} if part else set())
    helpers = names_of(part.code) if part else frozenset()
    return ours | helpers | set(profile.names) | taken_names()


def _fits(column: ColumnProfile, kind: str) -> bool:
    if kind == "date":
        return column.type in ("date", "datetime")
    return column.is_numeric and column.distinct > 2


def _edges(column: ColumnProfile) -> tuple[float, ...]:
    """Round numbers near the quartiles, so that nothing has to be learned from rows; () where they fall together."""
    near = [float(f"{column.quantiles[name]:.2g}") for name in ("p25", "p50", "p75") if name in column.quantiles]
    edges = tuple(sorted(set(near)))
    return edges if len(edges) >= 2 else ()


# ---- columns that know too much, or nothing


def evidence_against(column: ColumnProfile, contract: Contract, profile: Profile) -> str:
    """What in the profile says that a column tells the answer; "" when nothing does."""
    aim = profile.column(contract.target)
    if profile.rows < LEAST_ROWS:
        return ""
    if counts_like(column, aim):
        return f"it has exactly as many rows per value as “{contract.target}”."
    if contract.task == "regression" or not aim.top_complete or not column.missing:
        return ""
    for what, rows in (("filled", profile.rows - column.missing), ("empty", column.missing)):
        for item in aim.top:
            if rows == item.count:
                return f"it is {what} in exactly as many rows as “{contract.target}” is “{item.value}”."
    return ""


def evidence_of_nothing(column: ColumnProfile, profile: Profile) -> str:
    """What in the profile says that a column is of no use; "" when nothing does."""
    if column.missing_share > EMPTY:
        return f"it is missing in {column.missing_share:.1%} of the rows."
    most = column.top[0].count / profile.rows if column.top and profile.rows else 0.0
    if most > SAME:
        return f"it has the same value in {most:.1%} of the rows."
    return ""


def without(
    contract: Contract, name: str, request: Request, profile: Profile, *, reason: str, by: str, leaks: bool
) -> Contract | None:
    """The contract without a feature where the table supports it, else with the proposal; None when it is none."""
    plan = next((column for column in contract.columns if column.name == name and column.use), None)
    if plan is None or name == contract.target:
        return None
    column = profile.column(name)
    seen = evidence_against(column, contract, profile) if leaks else evidence_of_nothing(column, profile)
    insisted = name in request.include or plan.reason == EDITED_IN
    if seen and not insisted and len(contract.features) > 1:
        said = f"{by} would leave it out ({reason}).{_SUPPORTED}{seen}"
        off = ColumnPlan(name=name, role=plan.role, use=False, reason=said)
        return _with(contract, columns=tuple(off if one.name == name else one for one in contract.columns))
    what = "may be known only when the answer is" if leaks else "may be of no use"
    sentence = f"“{name}” {what} ({by}: {reason}). The table neither shows nor excludes it."
    return _offered(contract, Proposal(kind="drop", name=name, sentence=sentence, by=by))


# ---- how it is judged


def split(
    contract: Contract, rule: str, column: str | None, request: Request, profile: Profile, *, reason: str, by: str
) -> Contract | None:
    """With the proposal of another split; the rows' own evidence has been weighed by the expert already."""
    if rule not in get_args(SplitRule) or request.split_rule is not None:
        return None
    name = column if rule in ("time", "group", "predefined") else None
    if (rule, name) == (contract.split.rule, contract.split.column):
        return None
    try:
        check_split(cast(SplitRule, rule), name, profile, contract.target, contract.task)
    except ContractError:
        return None
    found = evidence_of(profile, contract.target)
    known = [*(found.events or found.dates), *found.entities, *found.marked]
    speaks = " The table has such a column." if name in {one.name for one in known} else ""
    how = f"by {rule} of “{name}”" if name else "at random"
    sentence = f"The rows could be split {how} ({by}: {reason}).{speaks}"
    return _offered(contract, Proposal(kind="split", name=rule, column=name, sentence=sentence, by=by))


def metric(contract: Contract, name: str, request: Request, *, reason: str, by: str) -> Contract | None:
    """With the proposal of another measure; what errors cost is for the user to say."""
    if request.metric is not None or name == contract.metric:
        return None
    try:
        check_metric(name, contract.task)
    except ContractError:
        return None
    sentence = f"{METRICS[name].label} could judge better what errors cost ({by}: {reason})."
    return _offered(contract, Proposal(kind="metric", name=name, sentence=sentence, by=by))


def _offered(contract: Contract, one: Proposal) -> Contract | None:
    same = any(
        (other.kind, other.name, other.column) == (one.kind, one.name, one.column) for other in contract.proposals
    )
    if same or len(contract.proposals) >= MOST_PROPOSALS:
        return None
    return _with(contract, proposals=(*contract.proposals, one))


# ---- in the contract


def change_of(proposal: Proposal) -> dict[str, Any]:
    """The edit of the contract that makes it."""
    match proposal.kind:
        case "drop":
            return {"exclude": [proposal.name]}
        case "metric":
            return {"metric": proposal.name}
        case "split":
            return {"split": {"rule": proposal.name} | ({"column": proposal.column} if proposal.column else {})}


def label_of(proposal: Proposal) -> str:
    """The edit in words, for a button."""
    match proposal.kind:
        case "drop":
            return f"Leave out “{proposal.name}”"
        case "metric":
            return f"Judge by {METRICS[proposal.name].label}" if proposal.name in METRICS else proposal.name
        case "split":
            return f"Split by {proposal.name}" + (f": “{proposal.column}”" if proposal.column else "")


def offers(contract: Contract) -> list[dict[str, Any]]:
    """What a gate can offer: {sentence, label, changes}."""
    return [{"sentence": one.sentence, "label": label_of(one), "changes": change_of(one)} for one in contract.proposals]


def tidied(contract: Contract) -> Contract:
    """Without proposals that are settled by now, and with what was advised said anew among the assumptions."""
    open_ones = tuple(one for one in contract.proposals if not _settled(one, contract))
    others = tuple(one for one in contract.assumptions if not any(one.startswith(mark) for mark in _MARKS))
    contract = _with(contract, proposals=open_ones)
    return _with(contract, assumptions=(*others, *_sentences(contract)))


_MARKS = ("Computed on advice: ", "Left out on advice: ", "Advised and not done: ", "Advised and not computed: ")


def _sentences(contract: Contract) -> list[str]:
    on, off, drop, left = _MARKS[0], _MARKS[3], _MARKS[1], _MARKS[2]
    said = [f"{drop}“{one.name}”. {one.reason}" for one in advised_out(contract)]
    computed = {one.name for one in active(contract)}
    for mark, there in ((on, True), (off, False)):
        ones = [one for one in contract.formulas if (one.name in computed) == there]
        said += [f"{mark}{'; '.join(f'{one.name}, {in_words(one)}' for one in ones)} ({ones[0].by})."] if ones else []
    return said + [f"{left}{one.sentence}" for one in contract.proposals]


def advised_out(contract: Contract) -> tuple[ColumnPlan, ...]:
    """Columns that were left out on advice."""
    return tuple(one for one in contract.columns if not one.use and _SUPPORTED in one.reason)


def _settled(one: Proposal, contract: Contract) -> bool:
    match one.kind:
        case "drop":
            return one.name not in contract.features
        case "metric":
            return one.name == contract.metric
        case "split":
            return (one.name, one.column) == (contract.split.rule, contract.split.column)


def carried(before: Contract, after: Contract, request: Request | None = None) -> Contract:
    """A contract that was made anew keeps what was advised, as long as its target and task stay."""
    if (before.target, before.task) != (after.target, after.task):
        return tidied(_with(after, formulas=(), proposals=()))
    spoken = set(request.include) if request else set()
    out = {one.name: one for one in advised_out(before) if one.name not in spoken}
    columns = tuple(out[one.name] if one.use and one.name in out else one for one in after.columns)
    if not any(one.use for one in columns):
        columns = after.columns
    names = {one.name for one in after.columns}
    formulas = tuple(one for one in before.formulas if set(one.sources) <= names)
    return tidied(_with(after, columns=columns, formulas=formulas, proposals=before.proposals))


def edited(contract: Contract, change: object) -> Contract:
    """{computed column: yes or no} or [{name, use}, …]; `ContractError` for what does not fit."""
    if isinstance(change, Sequence) and not isinstance(change, str):
        try:
            change = {one["name"]: one["use"] for one in change}
        except (TypeError, KeyError) as error:
            raise ContractError("Each computed column needs its name and whether it is computed.") from error
    if not isinstance(change, Mapping):
        raise ContractError("The field formulas names computed columns, each with yes or no.")
    known = {one.name: one for one in contract.formulas}
    for name, value in change.items():
        if name not in known:
            there = f"there are {quoted(list(known))}" if known else "there are none"
            raise ContractError(f"No computed column is called “{name}”; {there}.")
        known[name] = known[name].model_copy(update={"use": _flag(name, value)})
    return _with(contract, formulas=tuple(known.values()))


def _flag(name: str, value: object) -> bool:
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    found = value if isinstance(value, bool) else words.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ContractError(f"Whether “{name}” is computed has to be yes or no.")
    return found


def dismissed(contract: Contract, change: object) -> Contract:
    """The field proposals: an empty list, or “none”, takes all of them off the plan."""
    if change in ("none", "no", "", None) or (isinstance(change, list | tuple) and not change):
        return _with(contract, proposals=())
    raise ContractError("Proposals are made by the change that they name, or taken away with proposals=none.")


def _with(contract: Contract, **changes: object) -> Contract:
    return contract.model_copy(update=changes)
