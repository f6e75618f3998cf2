"""A control group of our own for an ordinary user: asked from the user's systemd once per zygote, gone with it.

Where a login session is not ours to divide (as over ssh), the zygote is moved into a scope that systemd delegates to
the user; the groups of its runs are made in there. Without systemd, or when it takes too long, there is none, and
rlimits and the watch of process 1 do without.
"""

import asyncio
import contextlib
import os
from pathlib import Path

_SECONDS = 1.0
_LOOK_EVERY = 0.01
_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids", "cpu")


def _bus(uid: int) -> Path:
    return Path(f"/run/user/{uid}/bus")


def _call(unit: str, pid: int) -> list[str]:
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    properties = ("2", "PIDs", "au", "1", str(pid), "Delegate", "b", "true")
    start = ("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", *properties, "0")
    return ["busctl", "--user", "call", *manager, *start]


async def delegated_group(pid: int) -> Path | None:
    """Have the process moved into a scope of its own and divide that; None where it cannot be had within a second."""
    uid = os.geteuid()
    if uid == 0 or not _bus(uid).exists() or not (_ROOT / "cgroup.controllers").exists():
        return None
    unit = f"modelwright-{pid}.scope"
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await _ask(_call(unit, pid), uid)
            while unit not in Path(f"/proc/{pid}/cgroup").read_text():
                await asyncio.sleep(_LOOK_EVERY)
        path = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition(":")[2]
        return divide(_ROOT / path.lstrip("/"), pid)
    return None


async def _ask(command: list[str], uid: int) -> None:
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(_bus(uid).parent)}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        if await process.wait():
            raise OSError("the user's systemd refused")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def divide(group: Path, pid: int) -> Path:
    """Make room for groups with limits: only a group without processes of its own may have them. Raises OSError."""
    (group / "zygote").mkdir(exist_ok=True)
    (group / "zygote" / "cgroup.procs").write_text(str(pid))
    offered = (group / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in _CONTROLLERS if name in offered]
    (group / "cgroup.subtree_control").write_text(" ".join(wanted))
    return group
