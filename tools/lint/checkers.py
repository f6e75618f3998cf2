"""ruff and bandit through their public interfaces, with our choice of rules for a program that trains one model."""

import ast
import json
import logging
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

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


BANDIT_NOTES = frozenset({"B202", "B324", "B701"})
"""Grave in a server: unpacking a foreign archive, MD5 for a password, unescaped HTML. Here: a key of rows, a report."""

SECONDS = 20.0
"""Each checker needs a tenth of a second for 400 lines; one that needs this long is kept busy by the script."""
_CWD = Path("/")
"""There whatever becomes of the folder that we were started in."""
_ONE_AT_A_TIME = threading.Lock()
"""bandit's log is one for the whole process."""


def ruff_findings(code: str) -> list[Finding]:
    """Ask the `ruff` program (5 to 20 ms); `noqa` comments of the script are not obeyed."""
    from ruff import find_ruff_bin  # type: ignore[import-untyped]

    command = [
        find_ruff_bin(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--quiet",
        "--output-format", "json", "--line-length", "320", "--target-version", "py311",
        "--select", ",".join(RUFF_RULES), "--ignore", ",".join(RUFF_SKIPPED), "--stdin-filename", "script.py", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, input=code.encode(), capture_output=True, timeout=SECONDS, check=True, cwd=_CWD)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return [_unread("ruff")]
    return [_from_ruff(remark) for remark in json.loads(done.stdout)]


def _from_ruff(remark: dict[str, object]) -> Finding:
    rule = str(remark.get("code") or "invalid-syntax")
    location = remark.get("location")
    line, column = (int(location["row"]), int(location["column"])) if isinstance(location, dict) else (1, 1)
    broken = rule.startswith(RUFF_ERRORS)
    severity: Severity = "error" if broken else "note" if rule.startswith(RUFF_NOTES) else "warning"
    sentence = _sentence(str(remark.get("message", "")))
    return Finding(
        rule=rule, source="ruff", severity=severity, line=line, column=column, sentence=sentence, blocks=broken
    )


def bandit_findings(code: str, seconds: float = SECONDS) -> list[Finding]:
    """What bandit says that matters here; grave are its high ones, but for a few."""
    with _heard() as stumbles:
        issues = _ask_bandit(code, seconds)
    if issues is None:
        return [_unread("bandit")]
    found = [_from_bandit(issue) for issue in issues if issue["test_id"] not in BANDIT_SKIPPED]
    return [*found, _stumbled()] if stumbles else found


def bandit_issues(code: str) -> list[dict[str, object]] | None:
    """All that bandit says, as its own JSON report would have it; None if it could not read all of the script."""
    with _heard() as stumbles:
        issues = _ask_bandit(code, SECONDS)
    return None if stumbles else issues


def _ask_bandit(code: str, seconds: float) -> list[dict[str, object]] | None:
    """Ask bandit in this process (1 to 10 ms once imported); `nosec` comments of the script are not obeyed.

    None if it could not read the script, or not within these seconds.
    """
    with warnings.catch_warnings():
        # stevedore calls itself in a way that it has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bandit.core import config, manager, node_visitor  # type: ignore[import-untyped]

    class Visitor(node_visitor.BanditNodeVisitor):  # type: ignore[misc]
        def visit(self, node: ast.AST) -> None:
            if time.monotonic() > deadline:
                raise TimeoutError
            super().visit(node)

    class Reader(manager.BanditManager):  # type: ignore[misc]
        def _execute_ast_visitor(self, name: str, file: object, data: bytes, nosec: dict[int, set[str]]) -> Any:
            visitor = Visitor(name, file, self.b_ma, self.b_ts, self.debug, nosec, self.metrics)
            scores = visitor.process(data)
            self.results.extend(visitor.tester.results)
            return scores

    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        script = Path(folder) / "script.py"
        script.write_bytes(code.encode())
        reader = Reader(config.BanditConfig(), "file", quiet=True, ignore_nosec=True)
        reader.discover_files([str(script)])
        reader.run_tests()
        skipped = reader.get_skipped()
        issues = reader.get_issue_list("LOW", "LOW")
    return None if skipped else [issue.as_dict() for issue in issues]


class _Stumbles(logging.Handler):
    """bandit logs an exception of one of its tests, with a long traceback, and goes on as if nothing were amiss."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.msg)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Listen to bandit's log while it works; none of it reaches the screen."""
    log, ear = logging.getLogger("bandit"), _Stumbles()
    with _ONE_AT_A_TIME:
        log.setLevel(logging.ERROR)
        log.propagate = False
        log.addHandler(ear)
        try:
            yield ear.seen
        finally:
            log.removeHandler(ear)


def _from_bandit(issue: dict[str, object]) -> Finding:
    grave = issue["issue_severity"] == "HIGH" and issue["issue_confidence"] != "LOW"
    grave = grave and issue["test_id"] not in BANDIT_NOTES
    return Finding(
        rule=str(issue["test_id"]),
        source="bandit",
        severity="security" if grave else "warning",
        line=int(str(issue["line_number"])),
        column=int(str(issue.get("col_offset", 0))) + 1,
        sentence=_sentence(str(issue["issue_text"])),
        blocks=grave,
    )


def _unread(source: Literal["ruff", "bandit"]) -> Finding:
    sentence = f"{source} could not read this script in time, so it may not run; a simpler program can be checked."
    return Finding(rule="unread", source=source, severity="security", line=1, sentence=sentence, blocks=True)


def _stumbled() -> Finding:
    sentence = "bandit could not read parts of this script, so what it says is not all; a simpler program can be read."
    return Finding(rule="unread", source="bandit", severity="error", line=1, sentence=sentence, blocks=True)


def _sentence(text: str) -> str:
    """One plain line that ends with a full stop."""
    line = " ".join(text.split()).strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
