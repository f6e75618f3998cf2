"""What people run code in when they have no sandbox, or another one: how long each takes to its first line.

Each starts from nothing, as it would for a script that nobody trusts.
"""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from jupyter_client.manager import AsyncKernelManager

Start = Callable[[str], Awaitable[float]]
"""Runs a program anew; seconds to its first line."""
_SECONDS = 120


async def _first_line(command: list[str]) -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    line = await process.stdout.readline()
    seconds = time.monotonic() - began
    await process.communicate()
    if not line or process.returncode:
        raise RuntimeError(f"{command[0]} ended with exit code {process.returncode} and said {line!r}.")
    return seconds


async def plain_python(script: str) -> float:
    """The same interpreter, nothing around it."""
    return await _first_line([sys.executable, "-c", script])


async def bubblewrap(script: str) -> float:
    """All namespaces, every file read-only; no system-call filter and no limits."""
    box = ["--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--tmpfs", "/tmp"]
    return await _first_line(
        ["bwrap", *box, "--proc", "/proc", "--dev", "/dev", "--setenv", "HOME", "/tmp", sys.executable, "-c", script]
    )


async def jupyter_kernel(script: str) -> float:
    """A new kernel; it isolates nothing."""
    began = time.monotonic()
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc")
    await manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.client()
    try:
        client.start_channels()
        await client.wait_for_ready(timeout=_SECONDS)
        client.execute(script)
        while (await client.get_iopub_msg(timeout=_SECONDS))["msg_type"] != "stream":
            pass
        return time.monotonic() - began
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


def there() -> Mapping[str, Start]:
    """Those that this machine has, by name."""
    found: dict[str, Start] = {"plain Python": plain_python}
    if shutil.which("bwrap"):
        found["bubblewrap, cold"] = bubblewrap
    found["Jupyter kernel"] = jupyter_kernel
    return found
