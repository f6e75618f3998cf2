"""Where the runs of this machine come from: a warm zygote that is forked, or boxes that stand ready."""

import asyncio
from typing import Protocol

from sandbox import staging
from sandbox.base import Job
from sandbox.launch import start_zygote
from sandbox.probe import Isolation
from sandbox.running import Running
from sandbox.standing import open_boxes


class Source(Protocol):
    """Starts runs, each in a box of its own."""

    @property
    def alive(self) -> bool:
        """Whether it can start another run."""
        ...

    async def begin(self, job: Job, turn: int, *, stays: bool = False) -> Running:
        """Start one run; `turn` numbers it within this process. OSError when the source is gone."""
        ...

    async def stand(self) -> int:
        """Wait until the boxes stand that are being made ahead; their number."""
        ...

    def memory_mb(self) -> float:
        """What it holds while nothing runs: memory of its own that is no file's."""
        ...

    def rest(self) -> None:
        """Keep nothing ready any more; runs go on."""
        ...

    def end(self) -> None:
        """Kill it and every run that it has started."""
        ...


async def open_source(isolation: Isolation, ready: int = 2) -> Source:
    """A warm source of this level that keeps `ready` boxes ahead.

    Raises `SandboxBroken` with what it said when it does not come up.
    """
    await asyncio.to_thread(staging.sweep)
    if isolation.level == "bubblewrap":
        return await open_boxes(isolation, ready)
    return await start_zygote(isolation, ready)
