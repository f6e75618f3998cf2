"""Runs scripts in containers of Docker or Podman, where the machine's own isolation is not enough or not to be had.

Covered: each run has a container of its own, which is removed afterwards: read-only image, no network, no capability,
no way to gain one, our system-call allow-list, limits of memory, processors, processes, files and output, user id
60001 inside. A script sees the image, its inputs (copies, read-only), and nothing else of the host. gVisor (`runsc`) is
used where the engine lists it: then even the kernel that the script talks to is not the host's. Of outputs/ only the
contents of regular files come back, over a pipe, after the script's last process is dead.

Not covered: with the plain runtime a bug in the kernel, and with any runtime a bug in the engine; both run with more
rights than we have (a rootless engine is the better one). Time to the first line is about a second, for the container
and the imports. Limits of memory and processes need an engine that may use control groups; the engine refuses to start
otherwise. An engine on another machine (DOCKER_HOST) cannot see the folders that it is shown: use E2B for that.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any, Literal

from sandbox.base import Job, SandboxBroken, SandboxError, SandboxUnavailable
from sandbox.container import KEEPER, LABEL, Engine, Image, run_arguments, seccomp_profile
from sandbox.image.bundle import bundle
from sandbox.remote import Line
from sandbox.remote_sandbox import RemoteSandbox

_PROGRAMS: tuple[Literal["docker", "podman"], ...] = ("docker", "podman")
_SECONDS_TO_ANSWER = 20
_SECONDS_TO_END = 5
_CHUNK = 2**18
_STDERR_KEPT = 4000
_KILLED = 137
_NO_IMAGE = ("no such image", "image not known", "unable to find image", "no such object", "not found locally")


def find_engine(runtime: str | None = None) -> Engine:
    """The first engine that answers; gVisor if it offers it, or `runtime`. Raises `SandboxUnavailable`."""
    problems = []
    for name in _PROGRAMS:
        if command := shutil.which(name):
            try:
                return _ask(name, command, runtime)
            except (OSError, ValueError, subprocess.SubprocessError):
                problems.append(f"{name} is installed, but its engine does not answer")
    what = " and ".join(problems) or "neither docker nor podman is installed"
    raise SandboxUnavailable(f"No container engine: {what}. Start one, or choose another sandbox.")


def _ask(name: Literal["docker", "podman"], command: str, runtime: str | None) -> Engine:
    done = subprocess.run(
        [command, "info", "--format", "json" if name == "podman" else "{{json .}}"],
        capture_output=True,
        timeout=_SECONDS_TO_ANSWER,
        check=True,
    )
    return read_info(name, command, json.loads(done.stdout), runtime)


def read_info(name: Literal["docker", "podman"], command: str, info: dict[str, Any], runtime: str | None) -> Engine:
    """The engine in its own words (`info`). Raises ValueError when there is only a client."""
    if name == "podman":
        runsc = "runsc" if shutil.which("runsc") else None
        version, cpus = info["version"]["Version"], info["host"]["cpus"]
    else:
        runsc = "runsc" if "runsc" in (info.get("Runtimes") or {}) else None
        version, cpus = info.get("ServerVersion"), info.get("NCPU")
    if not version:
        raise ValueError("the engine does not answer")
    return Engine(command, name, version, runtime or runsc, cpus or os.cpu_count() or 1)


class DockerSandbox(RemoteSandbox):
    """`Sandbox` in containers, a new one for each run."""

    def __init__(self, engine: Engine, image: Image | None = None) -> None:
        super().__init__()
        self._engine = engine
        self._image = image or Image()
        self._home: Path | None = None
        self._lock = asyncio.Lock()

    @property
    def isolation(self) -> str:
        """The level in words."""
        return self._engine.title

    async def warm(self) -> None:
        """See that the image is there, and remove what a killed application has left. Raises `SandboxUnavailable`."""
        async with self._lock:
            if self._home is not None:
                return
            code, said = await self._call("image", "inspect", "--format", "{{.Id}}", self._image.name)
            if code != 0:
                if _lacks_image(said):
                    raise _no_image(self._engine.name, self._image.name)
                raise SandboxUnavailable(f"The container engine failed: {_last_line(said)}")
            await self._sweep()
            self._home = await asyncio.to_thread(_prepare)

    async def open_line(self, job: Job) -> Line:
        """A container whose keeper waits for its request."""
        await self.warm()
        assert self._home is not None
        name = f"{_prefix()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        folder = self._home / name
        try:
            await asyncio.to_thread(_lay_out, folder, job)
        except OSError as problem:
            raise SandboxBroken(f"The inputs could not be copied: {problem.strerror}.") from problem
        profile = self._home / "seccomp.json"
        arguments = run_arguments(self._engine, self._image, name, folder, profile, job.limits)
        try:
            process = await _start(arguments)
        except OSError as problem:
            raise SandboxUnavailable(f"{self._engine.name} could not be started: {problem.strerror}.") from problem
        return _ContainerLine(self, process, name, folder)

    async def close(self) -> None:
        """End every run and remove every container of ours."""
        await super().close()
        await asyncio.gather(*(self.remove(name) for name in await self._containers() if _is_ours(name)))
        if self._home is not None:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
            self._home = None

    async def remove(self, name: str) -> None:
        """Kill a container and forget it; one that is gone is fine."""
        at_once = ["--time", "0"] if self._engine.name == "podman" else []  # Docker does not ask politely first
        await self._call("rm", "--force", *at_once, "--volumes", name)

    async def was_short_of_memory(self, name: str) -> bool:
        """Whether the kernel killed in this container for want of memory."""
        _, said = await self._call("inspect", "--format", "{{.State.OOMKilled}}", name)
        return said.strip() == "true"

    async def _containers(self) -> list[str]:
        code, said = await self._call("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}")
        return said.split() if code == 0 else []

    async def _sweep(self) -> None:
        """Containers of applications that were killed; those of other machines that share the engine stay."""
        dead = [name for name in await self._containers() if _is_orphan(name)]
        await asyncio.gather(*(self.remove(name) for name in dead))

    async def _call(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was said (stdout, or stderr when it failed)."""
        try:
            process = await asyncio.create_subprocess_exec(
                self._engine.command,
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as problem:
            return 127, f"{self._engine.name} could not be started: {problem.strerror}"
        try:
            async with asyncio.timeout(_SECONDS_TO_ANSWER):
                out, err = await process.communicate()
        except BaseException as problem:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(problem, TimeoutError):
                return 124, f"{self._engine.name} does not answer"
            raise
        code = process.returncode or 0
        return code, (out if code == 0 else err).decode(errors="replace")


class _ContainerLine:
    """`Line` over stdin and stdout of `docker run`."""

    def __init__(self, sandbox: DockerSandbox, process: asyncio.subprocess.Process, name: str, folder: Path) -> None:
        self._sandbox, self._process, self._name, self._folder = sandbox, process, name, folder
        self._said = b""
        self._hearing = asyncio.create_task(self._hear())
        self._closing: asyncio.Task[None] | None = None

    @property
    def cost_seconds(self) -> float:
        """The machine is ours."""
        return 0.0

    async def send(self, data: bytes) -> None:
        """Bytes to the keeper."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    async def receive(self) -> bytes:
        """What the keeper says next."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(_CHUNK)

    async def autopsy(self) -> Literal["memory"] | SandboxError:
        """The engine's own words, or its note that memory ran out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_ANSWER):
                await self._process.wait()
                await asyncio.shield(self._hearing)
        if await self._sandbox.was_short_of_memory(self._name) or self._process.returncode == _KILLED:
            return "memory"
        said = self._said.decode(errors="replace")
        if _lacks_image(said):
            return SandboxUnavailable("The sandbox image is not there any more; build it again.")
        return SandboxBroken(f"The container engine failed: {_last_line(said)}")

    async def close(self, *, clean: bool) -> None:
        """Remove the container; `clean` makes no difference, it is never used again."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._end())
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        await self._sandbox.remove(self._name)
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._let_it_end()
        await asyncio.gather(self._hearing, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _let_it_end(self) -> None:
        """Without its container the engine's program has nothing more to do."""
        try:
            async with asyncio.timeout(_SECONDS_TO_END):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _hear(self) -> None:
        """The engine's own complaints; the script's words never come this way."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_CHUNK):
            self._said = (self._said + data)[-_STDERR_KEPT:]


async def _start(arguments: tuple[str, ...]) -> asyncio.subprocess.Process:
    """In a session of its own: Ctrl-C at our terminal is not for the engine."""
    pipe = subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *arguments, stdin=pipe, stdout=pipe, stderr=pipe, limit=_CHUNK, start_new_session=True
    )


def _prepare() -> Path:
    """A folder of our own for what containers are shown; those of killed applications are removed."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_prefix()}-*"):
        if _is_orphan(left.name):
            shutil.rmtree(left, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=f"{_prefix()}-{os.getpid()}-"))
    (home / "seccomp.json").write_text(seccomp_profile(platform.machine()))
    return home


def _lay_out(folder: Path, job: Job) -> None:
    """What a run sees: copies, because the user inside is not the owner of the originals."""
    (folder / "outputs").mkdir(parents=True)
    (folder / "inputs").mkdir()
    (folder / "script.py").write_text(job.script, encoding="utf-8", errors="surrogatepass")
    (folder / KEEPER).write_bytes(bundle())
    for name, path in job.inputs.items():
        target = folder / "inputs" / name
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True)
        else:
            shutil.copyfile(path, target)
    for member in [folder, *folder.rglob("*")]:
        if not member.is_symlink():
            member.chmod(0o755 if member.is_dir() else 0o644)
    (folder / "outputs").chmod(0o1777)  # some engines give a tmpfs the mode of the folder below it


def _prefix() -> str:
    """Names the machine and the process namespace in which our process number means something."""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
        return "modelwright-" + hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
    return "modelwright-" + hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_ours(name: str) -> bool:
    return name.startswith(f"{_prefix()}-{os.getpid()}-")


def _is_orphan(name: str) -> bool:
    """Whether the application that made this container has ended."""
    if not name.startswith(f"{_prefix()}-"):
        return False
    owner = name.removeprefix(f"{_prefix()}-").partition("-")[0]
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return False


def _lacks_image(said: str) -> bool:
    return any(words in said.lower() for words in _NO_IMAGE)


def _no_image(engine: str, name: str) -> SandboxUnavailable:
    recipe = Path(__file__).parent / "image"
    advice = f"{engine} build -t {name} {recipe}"
    return SandboxUnavailable(f"The image {name} is not on this machine. Build it: {advice}")


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines[-1] if lines else "it ended without a word")[:300]
