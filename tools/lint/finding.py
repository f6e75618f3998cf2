"""What the critic says about a script: one remark (`Finding`) and the whole word (`Review`)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Source = Literal["ruff", "bandit", "policy", "syntax"]
Severity = Literal["note", "warning", "error", "security"]


class Finding(BaseModel):
    """One remark of the critic on a script."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """e.g. "F821" (ruff), "B301" (bandit), "policy:network"."""
    source: Source
    severity: Severity
    line: int
    sentence: str
    blocks: bool
    """True: the script must not run as it is. A security block cannot be waved through by anyone."""


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
    def security_blocked(self) -> bool:
        """Some blocking finding is about security: no one can approve this script."""
        return any(finding.blocks and finding.severity == "security" for finding in self.findings)


def security(rule: str, line: int, sentence: str) -> Finding:
    """A remark that nobody can wave through."""
    return Finding(
        rule=f"policy:{rule}", source="policy", severity="security", line=line, sentence=sentence, blocks=True
    )


def error(rule: str, line: int, sentence: str) -> Finding:
    """A remark that stops the script until its author or the user decides."""
    return Finding(rule=rule, source="policy", severity="error", line=line, sentence=sentence, blocks=True)


def warning(rule: str, line: int, sentence: str) -> Finding:
    """A remark that is shown and stops nothing."""
    return Finding(rule=rule, source="policy", severity="warning", line=line, sentence=sentence, blocks=False)
