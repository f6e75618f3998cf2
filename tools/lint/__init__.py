"""The critic's eyes: ruff, bandit and our own policy over a script.

This is the sign on the door; the kernel is the lock. Static checks catch the honest mistake and the plain attempt, and
a determined author gets around any of them: what a script can do is decided by the sandbox alone. Two things matter
here all the same: a sentence that says what is wrong *before* a minute of training, and leaks that no sandbox sees (a
score written by hand, a scaler fitted on every row, the target among the features).
"""

from collections.abc import Iterator, Sequence

from tools.lint import deserialise, environment, foreign, imports, leakage, obfuscation, paths, runtime, security, sql
from tools.lint.checkers import ABOUT_TEXT, bandit_findings, ruff_findings
from tools.lint.finding import Action, Finding, Review
from tools.lint.finding import security as security_block
from tools.lint.program import Program, Unreadable

__all__ = ["Action", "Finding", "Review", "check"]

_ADVICE = frozenset({"policy:read", "policy:write"})
"""A file that is not there, a folder that cannot be written: nothing is harmed, and the run itself would say so."""
_TOLD = {"severity": "warning", "blocks": False}


def check(
    code: str, *, target: str | None = None, features: Sequence[str] = (), classes: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Read a script without running it; what blocks comes first, then by line.

    `target`, `features` and `classes` are the contract's names and labels: as data in the script they may look like an
    address, a path or a secret. Without a target it is any script, and the rules for training scripts are silent.
    Never raises because of what the script says: a script that cannot be read is itself a blocking finding.
    """
    table_words = frozenset((*([target] if target is not None else []), *features, *classes))
    try:
        program = Program.parse(code, table_words)
    except Unreadable as problem:
        return (problem.finding,)
    findings = [
        *policy_findings(program, is_training=target is not None),
        *_training_findings(program, target, features),
        *ruff_findings(code),
        *(found for found in bandit_findings(code) if not _is_about_a_name(found, program)),
    ]
    if program.is_opaque:
        findings.append(security_block("opaque", 1, "The values in this script are too entangled to be checked."))
    return _in_order([_in_characters(found, program.lines) for found in findings])


def policy_findings(program: Program, *, is_training: bool = False) -> Iterator[Finding]:
    """Our own rules for any script; one that is to train a model has to use inputs/ and outputs/, others are told."""
    for rules in (imports, security, runtime, deserialise, environment, paths, sql, obfuscation):
        for found in rules.findings(program):
            yield found if is_training or found.rule not in _ADVICE else found.model_copy(update=_TOLD)


def _training_findings(program: Program, target: str | None, features: Sequence[str]) -> Iterator[Finding]:
    """Our own rules for a script that is to train the model of a contract."""
    if target is not None:
        yield from leakage.findings(program, target=target, features=features)
        yield from foreign.findings(program)


def _in_characters(found: Finding, lines: Sequence[str]) -> Finding:
    """Python's own tree counts columns in bytes of UTF-8; ruff counts characters already."""
    line = lines[found.line - 1] if 0 < found.line <= len(lines) else ""
    if found.source == "ruff" or line.isascii():
        return found
    before = line.encode()[: found.column - 1].decode(errors="replace")
    return found.model_copy(update={"column": len(before) + 1})


def _in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What blocks first, then by line; the same thing said twice about a line is said once."""
    once = {(found.rule, found.line, found.sentence): found for found in reversed(findings)}
    return tuple(sorted(once.values(), key=lambda found: (not found.blocks, found.line, found.rule)))


def _is_about_a_name(found: Finding, program: Program) -> bool:
    """bandit takes a column named like a password, an address or a folder for one."""
    return found.rule in ABOUT_TEXT and not found.blocks and found.line in program.table_lines
