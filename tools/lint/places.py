"""Where a script reads and writes: inputs/ and outputs/, by exactly these relative names, and what tempfile makes."""

import re
from collections.abc import Iterator

from tools.lint.finding import Finding, Place, error, security, warning
from tools.lint.values import TEMPORARY, UNKNOWN

_OUTSIDE = re.compile(
    r"^(~[\w.-]*([\\/]|$)|[A-Za-z]:[\\/]|\\\\|/(etc|home|root|usr|var|tmp|proc|sys|dev|opt|mnt|srv|boot|run|bin|lib|data"
    r"|Users|Volumes|workspace)(/|$))|(^|[\\/])\.\.([\\/]|$)"
)
_URL = re.compile(
    r"^(https?|ftps?|s3a?|gs|gcs|file|abfss?|hdfs|hf|ssh|sftp|jdbc|postgres(ql)?|mysql|redis|mongodb|smb)(\+\w+)?://",
    re.IGNORECASE,
)


def is_address(text: str) -> bool:
    """An address of another machine."""
    return _URL.match(text) is not None


def is_outside(text: str) -> bool:
    """Looks like a path of the machine, wherever it stands: /etc/passwd, ~/x, ../x."""
    return _OUTSIDE.search(text) is not None and " " not in text.strip()


def leaves(path: str) -> bool:
    """Used as a path it leads out of the working folder."""
    return path.startswith("/") or bool(_OUTSIDE.search(path)) or is_address(path)


def is_below(path: str, folder: str) -> bool:
    """In this folder of the working folder, and not out of it again."""
    plain = path.removeprefix("./")
    return (plain == folder or plain.startswith(f"{folder}/")) and ".." not in plain.split("/")


def is_scratch(path: str) -> bool:
    """In /tmp, which is private to each run and empty when it begins."""
    return path.startswith("/tmp/") and ".." not in path.split("/")


def is_own(path: str) -> bool:
    """The script may write, change and remove here."""
    return is_below(path, "outputs") or path.startswith(TEMPORARY) or is_scratch(path)


def written(path: str, at: Place) -> Iterator[Finding]:
    """A path that the script writes to."""
    if path.startswith(UNKNOWN) or is_own(path):
        return
    if leaves(path):
        yield from outside(path, at)
    elif is_below(path, "inputs"):
        yield error("policy:overwrite", at, f"{short(path)!r} would be overwritten; inputs/ is only for reading.")
    else:
        sentence = f"{short(path)!r} would be written outside outputs/, the one place a script may write to."
        yield error("policy:write", at, sentence)


def read(path: str, at: Place) -> Iterator[Finding]:
    """A path that the script reads from."""
    if path.startswith((UNKNOWN, TEMPORARY)) or path in (".", "./", ":memory:", ""):
        return
    if leaves(path):
        yield from outside(path, at)
    elif not is_below(path, "inputs") and not is_below(path, "outputs"):
        yield error("policy:read", at, f"{short(path)!r} is not there; a script finds its files in inputs/.")


def outside(path: str, at: Place) -> Iterator[Finding]:
    """What to say of a path that leads away."""
    if is_scratch(path):
        sentence = (
            f"{short(path)!r} is in a /tmp of the run's own, which is gone when it ends; keep results in outputs/."
        )
        yield warning("policy:scratch", at, sentence)
    elif is_address(path):
        yield security("network", at, f"{short(path)!r} is an address; a script has no network.")
    else:
        sentence = f"{short(path)!r} is outside the working folder; read inputs/ and write outputs/."
        yield security("path", at, sentence)


def short(text: str) -> str:
    """For a sentence."""
    shown = text.replace(UNKNOWN, "…").replace(TEMPORARY, "…")
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
