"""Program: explode every bomb in a sandbox of a level and print how each ended and what was left behind, as JSON.

python -m tests.sandbox.bombardment full [NAME...]
"""

import asyncio
import ctypes
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox.bombs import BOMBS
from tests.sandbox.host import Host, stand, with_secret
from tests.sandbox.levels import print_unavailable
from tests.sandbox.scenes import SMALL, play

_AT_ONCE = 3
_COSTLY = 6
"""Where a box costs a second of a core, only after every sixth bomb is another script run."""
_NEXT = "import numpy as np; print(int(np.arange(4).sum() * 7)); open('outputs/a', 'wb').write(bytes(10**7))"
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0


def _descendants() -> list[str]:
    """What every process below this one is; lost ones become ours, because we adopt them."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if fields[0] != "Z":  # the dead, who wait for whoever adopted them
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        children = parents.get(todo.pop(), [])
        todo += children
        found += children
    return [_name(pid) for pid in found]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except OSError:
        return ""


def _groups() -> list[str]:
    return [str(p) for p in Path("/sys/fs/cgroup").glob(f"**/modelwright-{os.getpid()}-*")]


def _descriptors() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(f"{entry.name} {entry.readlink()}")
        except OSError:  # the one that the folder itself was read with
            continue
    return found


async def _left(look: Callable[[], list[str]], most: int) -> list[str]:
    """Nothing, once there are no more than `most`; else, after a while, all of them."""
    end = asyncio.get_running_loop().time() + _PATIENCE
    while len(now := look()) > most:
        if asyncio.get_running_loop().time() > end:
            return now
        await asyncio.sleep(0.05)
    return []


async def _explode(sandbox: LocalSandbox, name: str, host: Host, place: Path, check: bool) -> dict[str, Any]:
    bomb = BOMBS[name]
    inputs, outputs = {"a": Path(host.facts["input"])}, place / name.replace("/", " ")
    played = await play(sandbox, bomb.text, inputs=inputs, outputs=outputs, limits=bomb.limits)
    after = await play(sandbox, _NEXT, limits=SMALL) if check else None
    outcome = played.outcome
    return {
        "kind": outcome.kind,
        "message": outcome.message,
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
        "peak_mb": outcome.peak_memory_mb,
        "output_bytes": outcome.output_bytes,
        "brought_mb": sum(file.bytes for file in outcome.files) / 2**20,
        "stderr": played.stderr[-300:],
        "next": after.stdout + after.outcome.kind if after else None,
    }


async def bombard(level: Level, names: list[str], host: Host, place: Path) -> dict[str, Any]:
    """Every bomb, three at a time; then what is left of them while the sandbox is there, and after it."""
    sandbox = LocalSandbox(try_level(level))
    often = _COSTLY if level == "bubblewrap" else 1
    mounts = Path("/proc/self/mountinfo").read_text()
    try:
        await play(sandbox, _NEXT, limits=SMALL)
        await sandbox.stand()
        processes, descriptors, groups = len(_descendants()), len(_descriptors()), len(_groups())
        turn = asyncio.Semaphore(_AT_ONCE)

        async def explode(number: int, name: str) -> dict[str, Any]:
            async with turn:
                return await _explode(sandbox, name, host, place, number % often == 0)

        ended = await asyncio.gather(*(explode(number, name) for number, name in enumerate(names)))
        gc.collect()
        while_there = {
            "processes": await _left(_descendants, processes),
            "descriptors": await _left(_descriptors, descriptors),
            "groups": await _left(_groups, groups),
        }
    finally:
        await sandbox.close()
    return while_there | {
        "ended": dict(zip(names, ended, strict=True)),
        "processes after all": await _left(_descendants, 1),  # the bystander stays
        "groups after all": _groups(),
        "mounts": Path("/proc/self/mountinfo").read_text() == mounts,
        "halves": [str(p) for p in place.rglob("*partial*")],
        "shared": [str(p) for p in Path("/dev/shm").glob("mwbomb-*")],
        "damage": host.damage(),
    }


def main() -> None:
    """Plant, explode, report."""
    secret = with_secret()
    level = next(level for level in LEVELS if level == sys.argv[1])
    if print_unavailable(level):
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="bombs-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # as /tmp and /var/tmp are
        for name in ("host", "results", "tmp"):
            (place / name).mkdir()
        tempfile.tempdir = str(place / "tmp")
        with stand(place / "host", secret) as host:
            names = sys.argv[2:] or list(BOMBS)
            report = asyncio.run(bombard(level, names, host, place / "results"))
        report["temporary"] = [p.name for p in (place / "tmp").iterdir()]
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
