"""Probes of rows, in words: entities across the split, later rows, labels, and whether both parts are alike."""

from collections.abc import Sequence

from tools.contract import Contract
from tools.probes.columns import MEASURES
from tools.probes.evidence import Measured
from tools.probes.finding import Probe, split_by

ENTITIES, ORDER, LABELS, ALIKE = "entities across the split", "later rows", "labels", "same kind of rows"
DECISIVE = ((4.0, 0.05), (3.0, 0.15))
"""Standard errors of the difference on the same rows, and how much of the measure it has to be: several columns are
tried, and a false alarm costs trust, but a difference that ruins the model needs less certainty."""
DIFFERENT = (5.0, 0.6)
"""Standard errors beyond chance, ROC-AUC."""
MANY_WRONG = 0.1


def entities(measured: Measured, contract: Contract) -> Probe | None:
    """Would rows of new customers, patients, machines be predicted as well? None where nothing repeats."""
    if not measured.entities:
        return None
    label = MEASURES[measured.metric]
    worst = max(measured.entities, key=lambda one: one.known - one.new)
    seen = (
        f"“{worst.column}” names {worst.entities:,} things with several rows each. A quick model reaches {label} "
        f"{worst.known:.3f} when it has seen other rows of them, {worst.new:.3f} for new ones"
    )
    evidence: dict[str, float | str] = {"column": worst.column, "known": worst.known, "new": worst.new, "z": worst.z}
    decisive = [one for one in measured.entities if _decisive(one.z, one.known - one.new)]
    if worst not in decisive:
        return Probe(probe=ENTITIES, passed=True, detail=f"{seen}: no decisive difference.", evidence=evidence)
    return Probe(
        probe=ENTITIES,
        passed=False,
        detail=f"{seen}. Rows of the same thing stand on both sides of the split, so the score is partly memory.",
        in_use=f"In use, for a “{worst.column}” that is not in this table, expect about {label} {worst.new:.2f}.",
        evidence=evidence,
        repair=split_by("group", worst.column),
    )


def later(measured: Measured, contract: Contract) -> Probe | None:
    """Would later rows be predicted as well? None where nothing says when a row happened."""
    if not measured.order or contract.split.rule == "time":
        return None
    label = MEASURES[measured.metric]
    worst = max(measured.order, key=lambda one: one.random - one.later)
    seen = (
        f"In the order of “{worst.column}” a quick model reaches {label} {worst.later:.3f} on the later rows when it "
        f"has seen only earlier ones, and {worst.random:.3f} on the same rows when it has seen some of each time"
    )
    evidence: dict[str, float | str] = {"column": worst.column, "later": worst.later, "random": worst.random}
    evidence["z"] = worst.z
    if not _decisive(worst.z, worst.random - worst.later):
        return Probe(probe=ORDER, passed=True, detail=f"{seen}: no decisive difference.", evidence=evidence)
    return Probe(
        probe=ORDER,
        passed=False,
        detail=f"{seen}. The hold-out was not drawn by time, so training knew the future of the rows that judge it.",
        in_use=f"In use only the past is known: expect about {label} {worst.later:.2f} on new rows.",
        evidence=evidence,
        repair=split_by("time", worst.column),
    )


def _decisive(z: float, difference: float) -> bool:
    return any(z >= certain and difference >= large for certain, large in DECISIVE)


def labels(measured: Measured) -> Probe | None:
    """How many labels look wrong; a hint, and no finding unless they are many. None for numbers."""
    if measured.labels is None or not measured.labels.rows:
        return None
    share = measured.labels.suspicious / measured.labels.rows
    detail = (
        f"About {share:.1%} of {measured.labels.rows:,} training labels look like another class to a quick model that "
        "has not seen them (confident learning, Northcutt et al. 2021): wrong labels or hard rows, "
        f"{'many' if share > MANY_WRONG else 'few'} of them."
    )
    return Probe(probe=LABELS, passed=True, detail=detail, evidence={"share": share})


def alike(measured: Measured, contract: Contract, moved: Sequence[str] = ()) -> Probe | None:
    """Are the sealed rows of the same kind as the training rows? Later rows need not be, rows drawn at random must.

    `moved`: columns whose distributions differ, as sentences.
    """
    if measured.apart is None:
        return None
    auc, z = measured.apart.auc, measured.apart.z
    seen = f"A quick model tells sealed rows from training rows with ROC-AUC {auc:.3f} (0.5: not at all)"
    which = f" What has moved most: {' '.join(moved[:3])}" if moved else ""
    evidence: dict[str, float | str] = {"ROC-AUC": auc, "z": z}
    different = z >= DIFFERENT[0] and auc >= DIFFERENT[1]
    if not different:
        return Probe(probe=ALIKE, passed=True, detail=f"{seen}.", evidence=evidence)
    if contract.split.rule in ("time", "group"):
        why = "later rows" if contract.split.rule == "time" else "new groups"
        detail = f"{seen}: {why} are different, and the score includes that.{which}"
        return Probe(probe=ALIKE, passed=True, detail=detail, evidence=evidence)
    return Probe(
        probe=ALIKE,
        passed=False,
        detail=f"{seen}, although they were drawn at random: the two parts do not come from the same table.{which}",
        in_use="In use rows will look like neither part, so the score says little about them.",
        evidence=evidence,
    )
