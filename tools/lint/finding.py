"""What the critic says about a script: one remark (`Finding`) and the whole word (`Review`)."""

import ast
from typing import Literal

from pydantic import BaseModel, ConfigDict

Source = Literal["ruff", "bandit", "policy", "syntax", "model"]
"""model: a language model has read the script; it can add a remark and take none away."""
Severity = Literal["note", "warning", "error", "security"]
Action = Literal["block", "ask", "note"]
"""What a finding does: it stops the script for good, it becomes a question at the gate, or it is only shown."""
Place = ast.AST | int
"""Where: a node of the tree, or a line."""


class Finding(BaseModel):
    """One remark of the critic on a script."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """e.g. "F821" (ruff), "B301" (bandit), "policy:network"."""
    source: Source
    severity: Severity
    line: int
    column: int = 1
    """From 1, in characters."""
    sentence: str
    blocks: bool
    """True: the script must not run as it is. A security block cannot be waved through by anyone."""

    @property
    def action(self) -> Action:
        """Security and text that is no Python block; what else must not run unasked, a person may decide."""
        if not self.blocks:
            return "note"
        return "block" if self.severity == "security" or self.source == "syntax" else "ask"


class Review(BaseModel):
    """The critic's word on a script before it runs."""

    model_config = ConfigDict(frozen=True)

    code_hash: str
    findings: tuple[Finding, ...] = ()

    @property
    def blocked(self) -> bool:
        """Some finding blocks."""
        return any(finding.blocks for finding in self.findings)

    @property
    def blocked_by_model(self) -> bool:
        """A language model objects; that is for a person to weigh."""
        return any(finding.blocks and finding.source == "model" for finding in self.findings)

    @property
    def security_blocked(self) -> bool:
        """Some blocking finding is about security: no one can approve this script."""
        return any(finding.blocks and finding.severity == "security" for finding in self.findings)


def security(rule: str, at: Place, sentence: str) -> Finding:
    """A remark that nobody can wave through."""
    return _policy(f"policy:{rule}", at, sentence, "security")


def error(rule: str, at: Place, sentence: str) -> Finding:
    """A remark that stops the script until its author or the user decides."""
    return _policy(rule, at, sentence, "error")


def warning(rule: str, at: Place, sentence: str) -> Finding:
    """A remark that is shown and stops nothing."""
    return _policy(rule, at, sentence, "warning")


def _policy(rule: str, at: Place, sentence: str, severity: Severity) -> Finding:
    line = at if isinstance(at, int) else int(getattr(at, "lineno", 1))
    column = 1 if isinstance(at, int) else int(getattr(at, "col_offset", 0)) + 1
    blocks = severity in ("error", "security")
    return Finding(
        rule=rule, source="policy", severity=severity, line=line, column=column, sentence=sentence, blocks=blocks
    )
