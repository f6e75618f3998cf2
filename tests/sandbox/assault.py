"""Program: try the whole catalogue of attacks in a sandbox of a level, or without one, and print what happened as JSON.

python -m tests.sandbox.assault full
python -m tests.sandbox.assault outside          (only ever called by tests/sandbox/outside.py)
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sandbox.base import Limits, Output
from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox import attacks, deliveries
from tests.sandbox.host import Host, stand, with_secret
from tests.sandbox.levels import print_unavailable
from tests.sandbox.scenes import job, play

_PATIENT = Limits(cpus=2, memory_mb=512, seconds=240, processes=32, written_mb=16, output_mb=2)
_NEIGHBOUR = """
import shutil, time
kept = open("inputs/private.txt").read()
for folder in ("outputs", "/tmp", "/dev/shm"):
    try: shutil.copy("inputs/private.txt", folder)
    except OSError: pass
print("there", flush=True)
time.sleep(300)
"""


@contextlib.asynccontextmanager
async def _neighbour(sandbox: LocalSandbox, host: Host) -> AsyncIterator[None]:
    """Another run at the same time, with a secret of its own."""
    secret = host.folder / "neighbour/private.txt"
    work = job(_NEIGHBOUR, inputs={"private.txt": secret}, environment={"PRIVATE": secret.read_text()})
    events = sandbox.run(work)
    async for event in events:
        assert event == Output("stdout", "there\n")
        break
    yield
    assert await sandbox.stop(work.id), "the neighbour is gone"
    async for _ in events:
        pass


async def inside(level: Level, host: Host, secret: str) -> dict[str, Any]:
    """What every attack says in a sandbox; "leaked" when the secret came out in any way."""
    sandbox = LocalSandbox(try_level(level))
    inputs = {"a": Path(host.facts["input"])}
    results, left = (Path(host.folder.parent, name) for name in ("results", "left"))
    try:
        async with _neighbour(sandbox, host):
            played = await play(
                sandbox, attacks.script(host.facts), inputs=inputs, outputs=results, limits=_PATIENT
            )  # fmt: skip
        dropped = await play(sandbox, deliveries.script(host.facts), inputs=inputs, outputs=left)
    finally:
        await sandbox.close()
    brought = b"".join(path.read_bytes() for path in (*results.rglob("*"), *left.rglob("*")) if path.is_file())
    return {
        "said": {str(m["attack"]): str(m["said"]) for m in played.metrics},
        "slow": {m["attack"]: m["seconds"] for m in played.metrics if float(str(m["seconds"])) > 1},
        "damage": host.damage(),
        "arrived": deliveries.arrived(left, secret),
        "honest": (left / "honest.txt").read_text(),
        "leaked": secret in played.stdout + played.stderr + dropped.stdout or secret.encode() in brought,
        "outcome": [played.outcome.kind, dropped.outcome.kind],
        "stderr": (played.stderr + dropped.stderr)[-2000:],
    }


def outside(host: Host, secret: str) -> dict[str, Any]:
    """What every attack says when nothing protects the host, and what arrives when results are simply taken."""
    done = _run_outside(host, attacks.script(host.facts))
    damage = host.damage()
    shutil.move(host.folder / "outputs", host.folder / "done")
    dropped = _run_outside(host, deliveries.script(host.facts))
    left = host.folder.parent / "left"
    (host.folder / "outputs").rename(left)
    records = [json.loads(line[2:]) for line in done.stdout.splitlines() if line.startswith("@@")]
    return {
        "said": {record["attack"]: record["said"] for record in records},
        "damage": damage,
        "arrived": deliveries.arrived(left, secret),
        "stderr": (done.stderr + dropped.stderr)[-2000:],
    }


def _run_outside(host: Host, text: str) -> "subprocess.CompletedProcess[str]":
    (host.folder / "outputs").mkdir()
    (host.folder / "script.py").write_text(text)
    environment = {**os.environ, "HOME": host.facts["home"]}
    os.set_inheritable(host.inherited, True)
    command = [sys.executable, "script.py"]
    given = [host.inherited]
    return subprocess.run(command, cwd=host.folder, env=environment, capture_output=True, text=True, pass_fds=given)


def main() -> None:
    """Plant, attack, report."""
    secret = with_secret()
    level = next((level for level in LEVELS if level == sys.argv[1]), None)
    if level and print_unavailable(level):
        return
    place = Path(tempfile.mkdtemp(prefix="assault-"))
    (place / "host").mkdir()
    with stand(place / "host", secret) as host:
        report = asyncio.run(inside(level, host, secret)) if level else outside(host, secret)
    sys.stdout.write(json.dumps(report))
    if level:  # outside nothing outlives us, and who knows what has been mounted in there
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
