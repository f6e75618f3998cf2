"""The critic's eyes: ruff, bandit and our own policy over a training script.

This is the sign on the door; the kernel is the lock. Static checks catch the honest mistake and the plain attempt, and
a determined author gets around any of them: what a script can do is decided by the sandbox alone. Two things matter
here all the same: a sentence that says what is wrong *before* a minute of training, and leaks that no sandbox sees (a
score written by hand, a scaler fitted on every row, the target among the features).
"""

from collections.abc import Sequence

from tools.lint import foreign, imports, leakage, paths, security
from tools.lint.checkers import ABOUT_TEXT, bandit_findings, ruff_findings
from tools.lint.finding import Finding, Review
from tools.lint.finding import security as security_block
from tools.lint.program import Program, Unreadable

__all__ = ["Finding", "Review", "check"]


def check(code: str, *, target: str, features: Sequence[str], classes: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Read a training script without running it; blocking findings first, then by line.

    `target`, `features` and `classes` are the contract's names and labels: as data in the script they may look like an
    address, a path or a secret. Never raises because of what the script says: a script
    that cannot be read is itself a blocking finding.
    """
    try:
        program = Program.parse(code, frozenset((target, *features, *classes)))
    except Unreadable as problem:
        return (problem.finding,)
    findings = [
        *imports.findings(program),
        *security.findings(program),
        *paths.findings(program),
        *leakage.findings(program, target=target, features=features),
        *foreign.findings(program),
        *ruff_findings(code),
        *(found for found in bandit_findings(code) if not _is_about_a_name(found, program)),
    ]
    if program.is_opaque:
        findings.append(security_block("opaque", 1, "The values in this script are too entangled to be checked."))
    return tuple(sorted(dict.fromkeys(findings), key=lambda found: (not found.blocks, found.line, found.rule)))


def _is_about_a_name(found: Finding, program: Program) -> bool:
    """bandit takes a column named like a password, an address or a folder for one."""
    return found.rule in ABOUT_TEXT and not found.blocks and found.line in program.table_lines
