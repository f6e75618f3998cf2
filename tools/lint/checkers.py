"""ruff and bandit through their public interfaces, with our choice of rules for a program that trains one model."""

import json
import logging
import subprocess
import tempfile
import warnings
from pathlib import Path

from tools.lint.finding import Finding, Severity

RUFF_RULES = ("F", "E7", "E9", "B", "PLE", "W605", "NPY001", "NPY003", "NPY201")
RUFF_SKIPPED = ("B905", "B028", "B904", "E701", "E702", "E703", "E731", "E741")
"""Matters of taste in a script of 150 lines."""
RUFF_ERRORS = ("F50", "F60", "F63", "F7", "F82", "E9", "PLE", "invalid-syntax")
"""The script would stop with an exception."""
RUFF_NOTES = ("F401", "F811", "F841", "E7", "W605", "B007", "F541")

BANDIT_SKIPPED = frozenset({"B101", "B110", "B112", "B113", "B311", "B403", "B404"})
"""assert, try/except/pass, random numbers and mere imports: ordinary in data work (our policy judges imports)."""

ABOUT_TEXT = frozenset({"B104", "B105", "B106", "B107", "B108"})
"""Rules of bandit that judge a text by its look: addresses, passwords, temporary folders."""


def ruff_findings(code: str) -> list[Finding]:
    """Ask the `ruff` program (5 to 20 ms); `noqa` comments of the script are not obeyed."""
    from ruff import find_ruff_bin  # type: ignore[import-untyped]

    command = [
        find_ruff_bin(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--quiet",
        "--output-format", "json", "--line-length", "320", "--target-version", "py311",
        "--select", ",".join(RUFF_RULES), "--ignore", ",".join(RUFF_SKIPPED), "--stdin-filename", "script.py", "-",
    ]  # fmt: skip
    done = subprocess.run(command, input=code.encode(), capture_output=True, timeout=30, check=True)
    return [_from_ruff(remark) for remark in json.loads(done.stdout)]


def _from_ruff(remark: dict[str, object]) -> Finding:
    rule = str(remark.get("code") or "invalid-syntax")
    location = remark.get("location")
    line = int(location["row"]) if isinstance(location, dict) else 1
    broken = rule.startswith(RUFF_ERRORS)
    severity: Severity = "error" if broken else "note" if rule.startswith(RUFF_NOTES) else "warning"
    sentence = _sentence(str(remark.get("message", "")))
    return Finding(rule=rule, source="ruff", severity=severity, line=line, sentence=sentence, blocks=broken)


def bandit_findings(code: str) -> list[Finding]:
    """Ask bandit in this process (1 to 10 ms once imported); `nosec` comments of the script are not obeyed."""
    with warnings.catch_warnings():
        # stevedore calls itself in a way that it has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bandit.core import config, manager  # type: ignore[import-untyped]

    # bandit tells the world that it runs; here its words are the findings.
    logging.getLogger("bandit").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        script = Path(folder) / "script.py"
        script.write_bytes(code.encode())
        reader = manager.BanditManager(config.BanditConfig(), "file", quiet=True, ignore_nosec=True)
        reader.discover_files([str(script)])
        reader.run_tests()
        skipped = reader.get_skipped()
        issues = reader.get_issue_list("LOW", "LOW")
    if skipped:
        return [_unread_by_bandit()]
    return [_from_bandit(issue.as_dict()) for issue in issues if issue.test_id not in BANDIT_SKIPPED]


def _from_bandit(issue: dict[str, object]) -> Finding:
    grave = issue["issue_severity"] == "HIGH" and issue["issue_confidence"] != "LOW"
    return Finding(
        rule=str(issue["test_id"]),
        source="bandit",
        severity="security" if grave else "warning",
        line=int(str(issue["line_number"])),
        sentence=_sentence(str(issue["issue_text"])),
        blocks=grave,
    )


def _unread_by_bandit() -> Finding:
    sentence = "bandit could not read this script, so it is not allowed to run; a simpler program can be checked."
    return Finding(rule="unread", source="bandit", severity="security", line=1, sentence=sentence, blocks=True)


def _sentence(text: str) -> str:
    """One plain line that ends with a full stop."""
    line = " ".join(text.split()).strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
