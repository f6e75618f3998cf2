"""Private folders on the host's own disk, for levels that cannot give each run a file system of its own.

    modelwright-run-…/workspace/script.py, inputs/, outputs/       the working folder
    modelwright-run-…/tmp/                                         its TMPDIR

Inputs are hard links where the disk allows it (nothing is copied, and what is locked in can change neither content nor
mode, owner or times), else copies; never symbolic links, which would show the script where they lead. Who uses a folder
holds a lock on its outputs/, so that the next start can tell what a kill -9 has left behind.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import tree
from sandbox.mounts import CATBOOST

_PREFIX, _UNFINISHED = "modelwright-run-", "modelwright-new-"
_UNFINISHED_SECONDS = 600
_PARTS = ("workspace", "workspace/inputs", "workspace/outputs", "tmp", f"tmp/{CATBOOST}")
_ELSEWHERE = ("/tmp", "/var/tmp", "/dev/shm")  # the zygote's usual place, then others


USERS = range(60706, 61184)
"""User ids that systemd's table of ids leaves to nobody; as root, each run without a box is one of them for itself."""


def name_of_user(uid: int) -> str:
    """The abstract socket that a run binds while it is this user."""
    return f"\0modelwright-user-{uid}"


@dataclass(frozen=True)
class Folder:
    """One run's folder; `outputs` is an open descriptor that holds the lock."""

    path: Path
    outputs: int

    @property
    def workspace(self) -> Path:
        """The script's working folder."""
        return self.path / "workspace"

    @property
    def scratch(self) -> Path:
        """Its TMPDIR."""
        return self.path / "tmp"


def _places() -> list[Path]:
    return [Path(place) for place in dict.fromkeys([tempfile.gettempdir(), *_ELSEWHERE])]


def place_beside(shut: Iterable[str]) -> Path:
    """A folder for private folders that does not lead to one of `shut`. Raises FileNotFoundError."""
    taken = {parent for folder in shut for parent in Path(os.path.realpath(folder)).parents}
    for place in _places():
        if os.access(place, os.W_OK | os.X_OK) and Path(os.path.realpath(place)) not in taken:
            return place
    raise FileNotFoundError("No folder for temporary files lies apart from the Python environment.")


def make(place: Path, owner: int | None = None) -> Folder:
    """A new folder that only `owner` (a user id; None: we ourselves) and root can enter."""
    new = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    try:
        return _furnish(new, owner)
    except OSError:
        _take_back(new)
        raise


def _furnish(new: Path, owner: int | None) -> Folder:
    for part in _PARTS:
        (new / part).mkdir(mode=0o700)
        _give(new / part, owner)
    (new / "workspace" / CATBOOST).symlink_to(f"../tmp/{CATBOOST}")
    _give(new, owner)
    outputs = os.open(new / "workspace/outputs", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(outputs, fcntl.LOCK_EX)
    return Folder(new.rename(new.with_name(new.name.replace(_UNFINISHED, _PREFIX))), outputs)


def _take_back(new: Path) -> None:
    """What `_furnish` has made so far, without a descriptor: it may be these that are lacking."""
    with contextlib.suppress(OSError):
        (new / "workspace" / CATBOOST).unlink()
    for folder in (*(new / part for part in reversed(_PARTS)), new):
        with contextlib.suppress(OSError):
            folder.rmdir()


def fill(folder: Folder, script: str, inputs: Mapping[str, str], owner: int | None = None) -> None:
    """Put the script and its inputs in. Raises OSError."""
    text = folder.workspace / "script.py"
    text.write_text(script, encoding="utf-8", errors="surrogatepass", newline="")
    _give(text, owner)
    for name, path in inputs.items():
        _bring(Path(os.path.realpath(path)), folder.workspace / "inputs" / name, owner)


def _give(path: Path, owner: int | None) -> None:
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)


def _bring(source: Path, target: Path, owner: int | None) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(os.readlink(source))  # noqa: PTH115  the text of the link, as it is
    elif stat.S_ISDIR(mode):
        target.mkdir(mode=0o700)
        _give(target, owner)
        for inner in sorted(source.iterdir()):
            _bring(inner, target / inner.name, owner)
    elif stat.S_ISREG(mode) and not _link(source, target, mode, owner):
        shutil.copyfile(source, target)
        target.chmod(0o400)
        _give(target, owner)


def _link(source: Path, target: Path, mode: int, owner: int | None) -> bool:
    """Whether the script will be able to read the very same file; else it needs a copy of its own."""
    if owner is not None and not mode & stat.S_IROTH:
        return False
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or not ours to link
        return False
    return True


def remove(path: Path) -> None:
    """Take a folder made here away, however deep and odd what a script has left in it; never follows a link."""
    if not path.name.startswith((_PREFIX, _UNFINISHED)):
        raise ValueError("Only what was made by this module is removed by it.")
    with contextlib.suppress(FileNotFoundError):
        parent = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            top = open_folder(path.name, parent)
            try:
                _empty(top)
            finally:
                os.close(top)
            os.rmdir(path.name, dir_fd=parent)
        finally:
            os.close(parent)


def open_folder(name: str, parent: int) -> int:
    """A folder's descriptor, made accessible to its owner first: a script may have made it unreadable."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(handle).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101  a descriptor, not a path
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)


def _empty(top: int) -> None:
    """Folders inside folders are moved to the top before their turn comes, so depth does not matter.

    Somebody else may be removing the same at this moment: what is gone already is no trouble.
    """
    moved = itertools.count()
    while names := os.listdir(top):  # noqa: PTH208  a descriptor, not a path
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                if _is_folder(name, top):
                    _flatten(name, top, moved)
                    os.rmdir(name, dir_fd=top)
                else:
                    os.unlink(name, dir_fd=top)


def _flatten(name: str, top: int, moved: Iterator[int]) -> None:
    """Leave nothing in a folder: its files are removed, its folders come to the top."""
    folder = open_folder(name, top)
    try:
        for inner in os.listdir(folder):  # noqa: PTH208
            if _is_folder(inner, folder):
                os.close(open_folder(inner, folder))
                as_named = f"{next(moved)}.{os.getpid()}.{threading.get_ident()}.moved"
                os.rename(inner, as_named, src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def sweep(places: Iterable[Path] | None = None) -> None:
    """Remove the folders of runs that nobody holds any more, from wherever they may be or from `places`."""
    for place in _places() if places is None else places:
        for path in place.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):  # in use, or not ours
                if _is_abandoned(path / "workspace/outputs"):
                    _end_its_user(path)
                    remove(path)
        for path in place.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _UNFINISHED_SECONDS:
                    remove(path)


def _end_its_user(path: Path) -> None:
    """As root: end whatever still runs as the user of an abandoned folder, unless another run is that user by now."""
    uid = path.lstat().st_uid
    if os.geteuid() != 0 or uid not in USERS:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as name, contextlib.suppress(OSError):  # taken: in use
        name.bind(name_of_user(uid))
        tree.end_all_of_user(uid)


def _is_abandoned(outputs: Path) -> bool:
    try:
        fd = os.open(outputs, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # half removed
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
