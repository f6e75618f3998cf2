"""The folder that `modelwright run` leaves behind: chosen and checked before the run, filled in one step after it."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.events import Envelope

MARK = "events.jsonl"
"""Every result folder of ours holds it, so that we know an earlier result when we see one."""


class DeliveryError(Exception):
    """The folder cannot be used; the message is for the user."""


@dataclass(frozen=True)
class Destination:
    """Where the files will go."""

    folder: Path
    numbered: bool = False
    """The name ends in a number of ours; should another run take it meanwhile, the next number will do."""
    replaces: bool = False
    """An earlier result of ours lies there; its files of the same names are replaced, others stay."""


def choose(out: Path | None, data: str, here: Path) -> Destination:
    """The folder for this run: `out`, or a new `modelwright-<name>-<n>` below `here`.

    Raises DeliveryError where nothing may or can be written.
    """
    if out is None:
        return _checked(Destination(_next_free(here / f"modelwright-{_stem(data)}-1"), numbered=True))
    folder = out.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise DeliveryError(f"{out} is a file; --out needs a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise DeliveryError(f"{out} holds other files already; name a new or empty folder with --out.")
        return _checked(Destination(folder, replaces=True))
    return _checked(Destination(folder))


def _stem(data: str) -> str:
    stem = Path(data).name.split(".")[0] or "result"
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in stem)[:40]


def _next_free(folder: Path) -> Path:
    while folder.exists():
        name, _, number = folder.name.rpartition("-")
        folder = folder.with_name(f"{name}-{int(number) + 1}")
    return folder


def _checked(destination: Destination) -> Destination:
    try_writing(destination.folder)
    return destination


def try_writing(folder: Path) -> None:
    """Try it now: better than after ten minutes of training. Raises DeliveryError."""
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    try:
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".modelwright-"):
            pass
    except OSError as error:
        why = "it takes no files" if isinstance(error, FileNotFoundError) else error.strerror  # /proc and its like
        raise DeliveryError(f"Nothing can be written to {nearest}: {why}.") from error


def deliver(destination: Destination, files: Mapping[str, Path], events: Sequence[Envelope]) -> Path:
    """Copy `files` (name relative to the folder -> source) and the log, all or nothing; returns the folder.

    Raises OSError, e.g. when the disk is full; nothing is left behind then.
    """
    folder = destination.folder
    if folder.is_dir() and not destination.numbered:
        with _filled(folder, files, events) as partial:
            _replace_entries(partial, folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _filled(folder.parent, files, events) as partial:
        folder = _next_free(folder) if destination.numbered else folder
        partial.rename(folder)
    return folder


@contextmanager
def _filled(place: Path, files: Mapping[str, Path], events: Sequence[Envelope]) -> Iterator[Path]:
    """A complete folder inside `place`, gone afterwards unless it was renamed."""
    partial = Path(tempfile.mkdtemp(dir=place, prefix=".modelwright-"))
    try:
        partial.chmod(0o755)
        for name, source in files.items():
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        lines = (json.dumps(envelope.to_json(), ensure_ascii=False) for envelope in events)
        (partial / MARK).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_entries(partial: Path, folder: Path) -> None:
    """Each entry of ours replaces the earlier one of its name; whatever else lies in the folder stays."""
    for entry in sorted(partial.iterdir()):
        earlier = folder / entry.name
        if earlier.is_dir() and not earlier.is_symlink():
            shutil.rmtree(earlier)
        elif earlier.exists() and entry.is_dir():
            earlier.unlink()
        entry.rename(earlier)
