"""How a container is asked for: the engine's command line and the system-call profile, as values."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox import kernel, syscalls
from sandbox.base import Limits

LABEL = "modelwright.sandbox"
UID = 60001
WORKSPACE = "/workspace"
KEEPER = "keeper.pyz"
_OVERHEAD_MB = 128
"""The keeper, page tables, pipes."""
_OWN_TASKS = 6
"""The keeper and its threads."""
_MACHINES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_NO_SUCH_CALL, _NOT_PERMITTED = 38, 1
_AF_UNIX = 1
_KEEPERS = ("ioctl", "ioprio_set", "prctl", "prlimit64", "setpriority")
"""Of the calls that a script may make with some arguments only, those of which the keeper needs others."""


@dataclass(frozen=True)
class Engine:
    """A container engine that has answered."""

    command: str
    """Path of its command-line program."""
    name: Literal["docker", "podman"]
    version: str
    runtime: str | None = None
    """Another OCI runtime than the engine's own, e.g. "runsc" (gVisor)."""
    cpus: int = os.cpu_count() or 1
    """Of the machine that it runs on."""

    @property
    def title(self) -> str:
        """For the gate and `modelwright doctor`."""
        shield = " + gVisor" if self.runtime == "runsc" else ""
        return f"{self.name.capitalize()} container{shield} + seccomp"


@dataclass(frozen=True)
class Image:
    """What a container is made from."""

    name: str = "modelwright-sandbox"
    """Name, tag or digest."""
    python: str = "python"
    """The interpreter inside."""
    binds: tuple[str, ...] = ()
    """More folders of the host to show, read-only, at their own places."""


def run_arguments(
    engine: Engine, image: Image, name: str, folder: Path, profile: Path, limits: Limits
) -> tuple[str, ...]:
    """`docker run` for one script: `folder` holds script.py, inputs/, an empty outputs/ and the keeper."""
    scratch = max(limits.memory_mb // 2, 1)
    memory = f"{limits.memory_mb + limits.written_mb + _OVERHEAD_MB}m"
    inodes = "" if engine.name == "podman" else ",nr_inodes=4096"  # Podman does not know the option
    runtime = ["--runtime", engine.runtime] if engine.runtime else []
    own = ["--http-proxy=false", "--read-only-tmpfs=false"] if engine.name == "podman" else runtime
    return (
        engine.command,
        *(runtime if engine.name == "podman" else []),
        "run",
        *own,
        *("--interactive", "--pull", "never", "--name", name, "--label", LABEL, "--log-driver", "none"),
        *("--init=false", "--read-only", "--network", "none", "--ipc", "private", "--hostname", "sandbox"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={profile}"),
        *("--user", f"{UID}:{UID}"),
        *("--memory", memory, "--memory-swap", memory),
        *("--pids-limit", str(limits.processes + _OWN_TASKS)),
        *("--cpus", f"{min(limits.cpus, engine.cpus):g}"),
        *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--ulimit", "core=0:0"),
        *("--shm-size", f"{scratch}m", "--tmpfs", f"/tmp:rw,nosuid,nodev,size={scratch}m,mode=1777"),
        *("--tmpfs", f"{WORKSPACE}/outputs:rw,nosuid,nodev,size={limits.written_mb}m{inodes},mode=1777"),
        *("--volume", f"{folder}:{WORKSPACE}:ro,Z"),
        *(f"--volume={bind}:{bind}:ro" for bind in image.binds),
        *("--workdir", WORKSPACE, "--entrypoint", image.python),
        *(image.name, "-I", f"{WORKSPACE}/{KEEPER}", WORKSPACE),
    )


def seccomp_profile(machine: str) -> str:
    """Our own table of system calls in the form that container engines take (JSON).

    An allow-list, sockets of the Unix kind only, no new namespace. It holds for the keeper too, which then puts the
    script under the narrower filter of the local sandbox.
    """
    allowed = [*_names(syscalls.ALLOWED), *_KEEPERS]
    rules: list[dict[str, Any]] = [
        {"names": allowed, "action": "SCMP_ACT_ALLOW"},
        *(_allow(name, 0, _AF_UNIX, "SCMP_CMP_EQ") for name in ("socket", "socketpair")),
        _allow("clone", 0, kernel.CLONE_NEW_ANY, "SCMP_CMP_MASKED_EQ"),
        {"names": _names(syscalls.ABSENT), "action": "SCMP_ACT_ERRNO", "errnoRet": _NO_SUCH_CALL},
    ]
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": _NOT_PERMITTED,
            "architectures": [_MACHINES[machine]],
            "syscalls": rules,
        }
    )


def _names(table: str) -> list[str]:
    return sorted(row.split()[0] for row in table.replace("\n", " ").split(";"))


def _argument(index: int, value: int, comparison: str) -> dict[str, Any]:
    return {"index": index, "value": value, "valueTwo": 0, "op": comparison}


def _allow(name: str, index: int, value: int, comparison: str) -> dict[str, Any]:
    """Masked comparison: the bits of `value` must all be zero."""
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [_argument(index, value, comparison)]}
