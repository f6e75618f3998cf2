"""As root each run is a user of its own: what the kernel counts for a user, another run does not feel."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox import staging
from sandbox.base import Output
from sandbox.local import LocalSandbox
from sandbox.owners import SHARED_UID
from sandbox.probe import try_level
from tests.sandbox.levels import python_as
from tests.sandbox.scenes import job, play

GREEDY = """
import fcntl, os, time
try:
    while True:
        fcntl.fcntl(os.pipe()[1], fcntl.F_SETPIPE_SZ, 2**20)
except OSError as refused:
    print(refused.strerror, flush=True)
time.sleep(60)
"""
MODEST = "import fcntl, os\nprint(fcntl.fcntl(os.pipe()[1], fcntl.F_SETPIPE_SZ, 2**20))"

LENDING = """
import json
from sandbox.owners import Owners, claim_user
owners = Owners()
one, two = owners.lend(), owners.lend()
others = [claim_user() for _ in range(50)]
owners.take_back(one)
again = owners.lend()
crowd = [owners.lend() for _ in range(70)]
print(json.dumps({"one": one.uid, "two": two.uid, "others": [uid for _, uid in others], "again": again.uid,
                  "crowd": [owner.uid for owner in crowd]}))
"""


@pytest.fixture
def as_root() -> Iterator[LocalSandbox]:
    if os.geteuid() != 0:
        pytest.skip("only root can give a run a user of its own")
    isolation = try_level("full")
    if isolation.level == "none":
        pytest.skip(f"no namespaces on this machine: {isolation.reason}")
    sandbox = LocalSandbox(isolation, ready=0)
    yield sandbox
    asyncio.run(sandbox.close())


def users_of_scripts() -> set[int]:
    """Of all that descends from us and is not root."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        found.add(next(int(line.split()[1]) for line in lines if line.startswith("Uid:")))
    return found - {0}


async def test_a_run_that_takes_all_pages_of_its_pipes_takes_none_of_another_runs(as_root: LocalSandbox) -> None:
    others = users_of_scripts()  # boxes that stand ready for other tests of this process
    greedy, waiting = (as_root.run(job(script)) for script in (GREEDY, "import time\nprint(1)\ntime.sleep(60)"))
    assert await anext(greedy) == Output("stdout", "Operation not permitted\n")
    assert (await play(as_root, MODEST)).stdout == "1048576\n"
    await anext(waiting)
    users = users_of_scripts() - others
    assert len(users) == 2
    assert users <= set(staging.USERS)
    await greedy.aclose()
    await waiting.aclose()


def test_users_are_lent_again_and_nobody_else_gets_them_meanwhile() -> None:
    """In a process of its own, which ends with all that it holds."""
    if os.geteuid() != 0:
        pytest.skip("this needs root")
    said = json.loads(python_as("root", "-c", LENDING))
    assert len({said["one"], said["two"], SHARED_UID}) == 3
    assert not {said["one"], said["two"]} & set(said["others"])
    assert said["again"] == said["one"]
    assert said["crowd"][62:] == [SHARED_UID] * 8
    assert len({*said["crowd"], said["one"], said["two"]}) == 65
