"""Probes of columns, in words: one that gives the target away, sums and products that contain it, a shuffled target."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tools.contract import Contract
from tools.probes.evidence import Identity, Measured, Weighed
from tools.probes.finding import Probe, without_columns
from tools.probes.known_later import moments
from tools.probes.leaks import Leak, is_identity, leak_of

MEASURES = {"roc_auc": "ROC-AUC", "balanced_accuracy": "balanced accuracy", "r2": "R²"}
ALONE: dict[str, float] = {"roc_auc": 0.98, "balanced_accuracy": 0.97, "r2": 0.97}
"""Where there was no time for more, one column that reaches this alone is taken for the target in other words."""
CANARY, SINGLE, SUMS = "shuffled target", "single column", "sums and products"
COUNTED_ON = (
    "If it is only known once the answer is known, the model will look this good here and fail in use: leave it out "
    "and compare."
)


def canary(measured: Measured, contract: Contract, counts: Mapping[str, int]) -> Probe:
    """Target permutation (Ojala & Garriga 2010): with the target shuffled nothing but chance may be left.

    `counts`: rows per class of the training rows; empty for numbers.
    """
    label = MEASURES[measured.metric]
    if measured.real is None or not measured.shuffled:
        return Probe(probe=CANARY, passed=True, detail="Not needed: there is no column that a small tree could use.")
    chance, spread = _chance(measured, counts)
    mean = float(np.mean(measured.shuffled))
    seen = f"With the target shuffled a small tree reaches {label} {mean:.3f}, with the real one {measured.real:.3f}"
    evidence: dict[str, float | str] = {"shuffled": mean, "real": measured.real, "chance": chance}
    if mean <= chance + 3 * spread:
        detail = f"{seen}: what is found comes from the target, not the procedure."
        return Probe(probe=CANARY, passed=True, detail=detail, evidence=evidence)
    return Probe(
        probe=CANARY,
        passed=False,
        detail=f"{seen}; chance would be {chance:.3f}. Rows leak between training and validation: distrust the score.",
        in_use="In use rows come one by one and bring no copies of themselves, so the score will fall.",
        evidence=evidence,
    )


def _chance(measured: Measured, counts: Mapping[str, int]) -> tuple[float, float]:
    """(value of chance, a generous standard deviation of it) for the probe's rows."""
    if measured.metric == "r2":
        return 0.0, 1.0 / float(np.sqrt(measured.rows))
    rarest = min(counts.values()) * min(1.0, measured.rows / sum(counts.values()))
    chance = 0.5 if measured.metric == "roc_auc" else 1.0 / len(counts)
    return chance, 0.5 / float(np.sqrt(max(rarest, 1.0)))


def shares(counts: Mapping[str, int]) -> list[float]:
    """Of each class in the training rows."""
    return [rows / sum(counts.values()) for rows in counts.values()]


def single(measured: Measured, contract: Contract, counts: Mapping[str, int]) -> Probe:
    """Does one column give the target away, all of it, one class of it, or where it is filled?"""
    powers = {column: power for column, power in measured.single.items() if column in contract.features}
    if not powers:
        return Probe(probe=SINGLE, passed=True, detail="Not needed: there is no column that could be tried alone.")
    label, best = MEASURES[measured.metric], max(powers, key=lambda column: powers[column])
    ordering = moments(contract)
    known = [one for one in measured.suspects if one.column in contract.features and not _is_moment(one, ordering)]
    found = [leak for one in known if (leak := leak_of(one, shares(counts)))]
    if "leaking columns" in measured.skipped and best not in ordering and powers[best] >= ALONE[measured.metric]:
        return _too_strong(best, powers[best], label, contract)
    tried = f"{len(powers)} of {len(contract.features)} columns were tried alone"
    if not found:
        detail = (
            f"{tried}; the strongest, “{best}”, reaches {label} {powers[best]:.3f}, and no column knows so much more "
            "than all the others that it would have to be the answer in other words."
        )
        return Probe(probe=SINGLE, passed=True, detail=detail, evidence={"column": best, "power": powers[best]})
    named = "; ".join(_said(leak, label, contract) for leak in found[:3])
    first = found[0].column
    return Probe(
        probe=SINGLE,
        passed=False,
        detail=f"{named}. {COUNTED_ON}",
        in_use=_in_use(found[0], contract),
        evidence={
            "column": first.column,
            "power": first.power,
            "others": first.others,
            "rows given away": first.given,
            "view": first.view,
        },
        repair=without_columns([leak.column.column for leak in found], contract.features),
    )


def _is_moment(one: Weighed, ordering: Collection[str]) -> bool:
    """The moment of the row is known beforehand, however well a trend follows it; whether it is filled may not be."""
    return one.column in ordering and one.view != "filled or not" and not one.filled


def _too_strong(column: str, power: float, label: str, contract: Contract) -> Probe:
    """Where there was no time to weigh the column against the others."""
    return Probe(
        probe=SINGLE,
        passed=False,
        detail=f"“{column}” ({label} {power:.3f}) nearly gives “{contract.target}” away on its own. {COUNTED_ON}",
        in_use=f"In use the model would have to do without “{column}” if it is not there yet.",
        evidence={"column": column, "power": power},
        repair=without_columns([column], contract.features),
    )


def _said(leak: Leak, label: str, contract: Contract) -> str:
    one = leak.column
    by = "" if one.view == "values" else f", by {_by(one.view)},"
    name = f"“{one.column}”{by}"
    beside = f"({label} {one.power:.3f} alone; all other columns together {one.others:.3f})"
    match leak.reason:
        case "code":
            only = "almost every value has one class only"
            return f"{name} nearly gives “{contract.target}” away on its own: {only} {beside}"
        case "class":
            which = contract.classes[leak.class_code or 0]
            return f"{name} nearly gives the class “{which}” of “{contract.target}” away on its own {beside}"
        case "given away" | "filled":
            rows = f"the class of {one.given:,} of {one.rows:,} rows, right in {one.given_right:.1%}"
            return f"{name} gives away {rows}; without it the others are far from sure of them"
        case "where filled":
            rows = f"in the {one.filled:,} of {one.rows:,} rows in which it says something"
            return f"{name} nearly gives “{contract.target}” away {rows}, where the others know little"
        case "same unit":
            return f"{name} holds nearly the same numbers as “{contract.target}” {beside}"
        case _:
            return f"{name} nearly gives “{contract.target}” away on its own {beside}"


def _by(view: str) -> str:
    return "whether it is filled" if view == "filled or not" else f"its {view.removeprefix('its ')}"


def _in_use(leak: Leak, contract: Contract) -> str:
    one = leak.column
    if one.view == "filled or not" or leak.reason == "where filled":
        return (
            f"In use “{one.column}” will be empty for every new row if it is filled in later, so the model will take "
            "them all for the same."
        )
    return (
        f"In use the model would have to do without “{one.column}” and reach about {_reach(one, contract)}, which is "
        "what the other columns can do."
    )


def _reach(one: Weighed, contract: Contract) -> str:
    metric = "r2" if contract.task == "regression" else "roc_auc" if contract.task == "binary" else "balanced_accuracy"
    return f"{MEASURES[metric]} {one.others:.2f}"


def sums(measured: Measured, contract: Contract) -> Probe:
    """Is the target a sum or a product of a few columns?"""
    ordering = moments(contract)
    known = [one for one in measured.identities if set(one.columns) <= set(contract.features)]
    known = [one for one in known if len(ordering & set(one.columns)) != 1]  # a trend; two dates make a duration
    found = [one for one in known if is_identity(one, is_number=not contract.classes)]
    if not found:
        seen = f"the best one reaches R² {max(one.r2 for one in known):.3f}" if known else "none comes near"
        detail = f"No sum, difference or product of columns makes up “{contract.target}”: {seen}."
        return Probe(probe=SUMS, passed=True, detail=detail)
    one = max(found, key=lambda identity: identity.r2)
    return Probe(
        probe=SUMS,
        passed=False,
        detail=(
            f"“{contract.target}” is, but for {1 - one.r2:.1%} of its variance, {_formula(one)}. A column that is "
            "computed from the answer, or of which the answer is computed, gives it away."
        ),
        in_use=(
            "In use these columns are not all there before the answer is; without them the other columns reach about "
            f"{MEASURES[measured.metric]} {one.others:.2f}."
        ),
        evidence={"R²": one.r2, "others": one.others, "columns": ", ".join(one.columns), "scale": one.scale},
        repair=without_columns(_to_drop(one), contract.features),
    )


def _formula(one: Identity) -> str:
    """ "1 × “total” - 1 × “shipping”", or powers of columns for a product."""
    parts = [f"“{name}”" for name in one.columns]
    if one.scale == "log":
        return " × ".join(f"{name}^{weight:.3g}" for name, weight in zip(parts, one.weights, strict=True))
    terms = [f"{'-' if w < 0 else '+'} {abs(w):.3g} × {n}" for n, w in zip(parts, one.weights, strict=True)]
    text = " ".join(terms[:6]) + (f" and {len(terms) - 6} more" if len(terms) > 6 else "")
    return text.removeprefix("+ ") + " and a constant"


def _to_drop(one: Identity) -> Sequence[str]:
    """Of a few parts the one that is nearest to the target; of many all, since each is a share of it."""
    if len(one.columns) > 3:
        return one.columns
    return [one.columns[int(np.argmax(one.alone))]]
