"""The audit tested by itself: leaks of its own, planted into a copy of training rows, and columns that know nothing."""

from collections.abc import Sequence

from tools.probes.evidence import Measured
from tools.probes.finding import Probe
from tools.probes.leaks import is_identity, leak_of

NAME = "the audit itself"
CLEAN = "clean"


def self_test(measured: Measured, shares: Sequence[float]) -> Probe | None:
    """Whether the rules that judged the table find what was planted and nothing else; None when it was not run."""
    planted = [one for one in measured.self_test if not one.column.startswith(CLEAN)]
    clean = [one for one in measured.self_test if one.column.startswith(CLEAN)]
    total = len(planted) + len(measured.self_test_sum)
    if not total:
        return None
    missed = [one.column for one in planted if leak_of(one, shares) is None]
    missed += [
        "a sum that contains the target" for one in measured.self_test_sum if not is_identity(one, is_number=True)
    ]
    false = [one for one in clean if leak_of(one, shares)]
    said = f"The audit itself was tested: {total - len(missed)} of {total} planted leaks found"
    said += f", {len(false)} false alarms in {len(clean)} columns that know nothing." if clean else "."
    if missed:
        said += f" Missed: {', '.join(missed)}; on this table the other columns nearly know the answer too."
    return Probe(
        probe=NAME,
        passed=not false and len(missed) < total,
        detail=said,
        evidence={"planted": total, "found": total - len(missed), "false alarms": len(false)},
    )
