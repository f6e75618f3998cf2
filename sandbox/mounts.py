"""The file system that a script sees: an empty root with only what it needs mounted, read-only but for three places.

    /workspace/script.py, inputs/   read-only          /usr/lib, /usr/bin, the Python environment   read-only
    /workspace/outputs/             tmpfs with quota   /tmp, /dev/shm                               tmpfs with quota
    /dev/null zero full random urandom                 /proc of the run's own processes             read-only

Never a home folder, never a folder of the project: where the Python environment lies in one (or in the host's /tmp),
the folders on the way to it hold nothing else. Folders of packages with tables that we hand out as samples are covered,
because the labels of their sealed rows are in there.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import kernel

WORKSPACE = "/workspace"
WRITABLE = ("/workspace/outputs", "/tmp", "/dev/shm")  # inside the box
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
MAX_FILES = 2048
"""Files and folders in outputs/; as many in /tmp and /dev/shm."""

SAMPLE_TABLES = (
    "sklearn/datasets/data",
    "sklearn/datasets/tests/data",
    "scipy/io/arff/tests/data",
    "scipy/spatial/tests/data",
    "plotly/package_data/datasets",
    "sklearn/covariance/tests",
    "statsmodels/genmod/tests/results",
    "vega_datasets/_data",
)
"""Folders of packages that hold a table of tools/samples.py, or a copy of one."""

CATBOOST = "catboost_info"
"""CatBoost makes this folder where it is started, and fails if it cannot: a link to one in /tmp waits there."""
_STAGE = "/tmp"  # any folder that exists everywhere: covered by our own mount for a moment
SYSTEM = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/bin", "/usr/share/zoneinfo", "/etc/alternatives")
SHORTCUTS = ("/bin", "/lib", "/lib64")
FILES = ("/etc/ld.so.cache", "/etc/localtime")
PASSWD = "user:x:1000:1000::/tmp:/bin/sh\n"
_ODD = {
    stat.S_ISSOCK: "a socket",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_SAFE = kernel.ATTR_NOSUID | kernel.ATTR_NODEV


@dataclass(frozen=True)
class Shell:
    """What every run gets to see; paths are the host's."""

    environment: tuple[str, ...]
    covered: tuple[str, ...]
    """Folders of the environment that are shown empty."""
    owner: int
    """User id (in the namespace that mounts) that owns the writable places."""
    owner_map: int | None
    """Descriptor of a user namespace that shows root's private files as the owner's; None: not root."""


def scratch_mb(memory_mb: int) -> int:
    """Size of /tmp and of /dev/shm: their files are memory, and count as such."""
    return max(memory_mb // 2, 1)


def python_environment() -> tuple[str, ...]:
    """Folders of the running interpreter and its packages, without anything beside them."""
    settings = [f"{prefix}/pyvenv.cfg" for prefix in _prefixes()]
    return without_nested([*_folders(), *(path for path in settings if Path(path).is_file())])


def sample_tables() -> tuple[str, ...]:
    """Folders in which the packages that a script can import keep tables that we hand out; found by name."""
    kinds = [f"{packages}/{table}" for packages in ("site-packages", "dist-packages") for table in SAMPLE_TABLES]
    shown = [*_folders(), *SYSTEM]
    return tuple(sorted({str(path) for folder in shown for kind in kinds for path in Path(folder).glob(f"*/{kind}")}))


def _prefixes() -> list[str]:
    """Where the environment and the Python that it was made from are: as they are named, and behind symbolic links."""
    return sorted({end for prefix in (sys.base_prefix, sys.prefix) for end in (prefix, os.path.realpath(prefix))})


def _folders() -> list[str]:
    """As they are named (so programs ask for them) and behind symbolic links (so those links lead somewhere)."""
    named = [f"{prefix}/{part}" for prefix in _prefixes() for part in ("bin", "lib", "lib64")]
    return [path for folder in named if Path(folder).is_dir() for path in (folder, os.path.realpath(folder))]


def without_nested(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{parent}/") for parent in kept):
            kept.append(path)
    return tuple(kept)


def _private(path: Path) -> bool:
    """Whether something in `path` can be read by its owner only."""
    members = [path, *path.rglob("*")] if path.is_dir() else [path]
    return any(
        not p.is_symlink() and p.stat().st_mode & (5 if p.is_dir() else 4) != (5 if p.is_dir() else 4) for p in members
    )


def _clone(source: str, owner_map: int | None, *, look_inside: bool) -> int:
    fd = kernel.clone_mount(source)
    kernel.set_mount(fd, kernel.ATTR_RDONLY | _SAFE)
    mode = Path(source).stat().st_mode
    shut = _private(Path(source)) if look_inside else not mode & 4
    if owner_map is not None and shut:
        kernel.set_mount(fd, kernel.ATTR_IDMAP, owner_map=owner_map)
    return fd


def neither_file_nor_folder(name: str, path: Path) -> str | None:
    """A sentence about something in an input that a script must not open, if it holds one: it leads out of the box."""
    members = [path, *path.rglob("*")] if path.is_dir() else [path]
    for member in members:
        mode = member.lstat().st_mode if member != path else path.stat().st_mode
        if kind := next((word for of_kind, word in _ODD.items() if of_kind(mode)), None):
            where = Path("inputs", name, member.relative_to(path))
            return f"{where} is {kind}: a script can be given files and folders of files only."
    return None


def clone_inputs(inputs: Mapping[str, str], owner_map: int | None) -> dict[str, int]:
    """Target in the box -> detached read-only mount; called where the host's files are seen. Raises OSError."""
    for name, path in inputs.items():
        if refusal := neither_file_nor_folder(name, Path(path)):
            raise PermissionError(errno.EPERM, refusal)
    targets = {f"{WORKSPACE}/inputs/{name}": os.path.realpath(path) for name, path in inputs.items()}
    return {target: _clone(path, owner_map, look_inside=True) for target, path in targets.items()}


def _sources(shell: Shell) -> dict[str, int]:
    """Target in the box -> detached read-only mount; taken before our own mounts cover anything."""
    system = [path for path in (*SYSTEM, *SHORTCUTS) if Path(path).is_dir() and not Path(path).is_symlink()]
    shown = without_nested([*system, *shell.environment])
    mounts = {path: _clone(path, shell.owner_map, look_inside=False) for path in shown}
    for path in FILES:
        if Path(path).exists():
            mounts[path] = _clone(os.path.realpath(path), shell.owner_map, look_inside=False)
    for path in DEVICES:
        mounts[path] = kernel.clone_mount(path)
        kernel.set_mount(mounts[path], kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NOEXEC)  # not its times
    return mounts


def _place(target: str, fd: int, *, root: str = _STAGE) -> None:
    inside = Path(root + target)
    inside.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        inside.mkdir(exist_ok=True)
    else:
        inside.touch()
    kernel.attach(fd, str(inside))
    os.close(fd)


def ways_to(targets: Iterable[str]) -> tuple[str, ...]:
    """The first folder below a writable place on the way to each target that lies deeper in there."""
    ways = set()
    for target in targets:
        for place in WRITABLE:
            first, _, deeper = target.removeprefix(f"{place}/").partition("/")
            if target.startswith(f"{place}/") and deeper:
                ways.add(f"{place}/{first}")
    return tuple(sorted(ways))


def _pave(way: str) -> None:
    """A mount of its own, so that a script can neither rename nor fill the folders that lead to its interpreter."""
    inside = Path(_STAGE + way)
    inside.mkdir()
    kernel.mount("tmpfs", str(inside), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64k,nr_inodes=512,mode=755")


def _close(folder: str) -> None:
    """Make the mount at `folder` read-only, not those inside it."""
    fd = os.open(_STAGE + folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.set_mount(fd, kernel.ATTR_RDONLY | _SAFE, recursive=False)
    os.close(fd)


def _cover(folder: str) -> None:
    """Show an empty folder instead; called inside the new root, where links lead where a script's would."""
    if Path(folder).is_dir():
        flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        kernel.mount("tmpfs", folder, "tmpfs", flags, "size=4k,nr_inodes=1,mode=555")


def _scratch(target: str, owner: int) -> None:
    """A writable place; its size is set when the run is known."""
    inside = Path(_STAGE + target)
    inside.mkdir(parents=True, exist_ok=True)
    options = f"{_quota(1)},mode=700,uid={owner},gid={owner}"
    kernel.mount("tmpfs", str(inside), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _quota(size_mb: int) -> str:
    return f"size={size_mb}m,nr_inodes={MAX_FILES}"


def _show_processes(proc: int) -> None:
    """Show the run's own /proc read-only; the descriptor stays the only way to its writable twin."""
    inside = Path(_STAGE, "proc")
    inside.mkdir()
    kernel.attach(proc, str(inside))
    fd = kernel.clone_mount(str(inside))
    kernel.set_mount(fd, kernel.ATTR_RDONLY | _SAFE | kernel.ATTR_NOEXEC)
    kernel.attach(fd, str(inside))
    os.close(fd)


def _furnish(owner: int) -> None:
    """Small files, folders and links that programs expect."""
    root = Path(_STAGE)
    (root / "tmp" / CATBOOST).mkdir(mode=0o700)
    os.chown(root / "tmp" / CATBOOST, owner, owner)
    (root / WORKSPACE[1:] / CATBOOST).symlink_to(f"/tmp/{CATBOOST}")
    for shortcut in SHORTCUTS:
        if Path(shortcut).is_symlink():
            (root / shortcut[1:]).symlink_to(os.readlink(shortcut))  # noqa: PTH115  the text of the link, as it is
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (root / "dev" / name).symlink_to(f"/proc/self/fd{target}")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text("user:x:1000:\n")
    (root / WORKSPACE[1:] / "inputs").mkdir(parents=True, exist_ok=True)


def build(shell: Shell, proc: int) -> int:
    """Swap this process's root for the shell of a box; needs CAP_SYS_ADMIN over its own, new mount namespace.

    `proc` is a detached /proc of the run's processes. Every process in this mount namespace gets the new root, but none
    that is just being forked: nobody may do that meanwhile. Returns a descriptor of outputs/. Raises OSError.
    """
    kernel.make_mounts_private()
    sources = _sources(shell)
    kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1g,mode=755")  # ours alone to fill
    for target in WRITABLE:
        _scratch(target, shell.owner)
    ways = ways_to(sources)
    for way in ways:
        _pave(way)
    for target, fd in sources.items():
        _place(target, fd)
    for way in ways:
        _close(way)
    _furnish(shell.owner)
    _show_processes(proc)
    kernel.enter_root(_STAGE)
    for folder in shell.covered:
        _cover(folder)
    return os.open(WRITABLE[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def fill(inputs: Mapping[str, int], script: str, *, outputs_mb: int, memory_mb: int) -> int:
    """Put what belongs to one run into its shell and close the root for good; called inside.

    Returns a descriptor of the root. Raises OSError.
    """
    scratch = scratch_mb(memory_mb)
    for target, size_mb in zip(WRITABLE, (outputs_mb, scratch, scratch), strict=True):
        kernel.mount("tmpfs", target, "tmpfs", kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV, _quota(size_mb))
    for target, fd in inputs.items():
        _place(target, fd, root="")
    Path(WORKSPACE, "script.py").write_text(script, encoding="utf-8", errors="surrogatepass", newline="")
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.set_mount(root, kernel.ATTR_RDONLY | _SAFE, recursive=False)
    return root
