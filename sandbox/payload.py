"""The last process: gives up what is left, locks itself in, tidies the forked interpreter and becomes the script."""

import atexit
import errno
import gc
import importlib
import linecache
import math
import os
import random
import resource
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NoReturn

from sandbox import kernel, landlock, mounts, order, seccomp

if TYPE_CHECKING:
    from sandbox.box import Base

_SCRIPT = "script.py"
_MB = 2**20
_THREAD_STACKS_MB = 128
_OPEN_FILES = 256
_SIGNALS = 1024
"""On their way to the script's processes; the kernel counts them, and timers, for the user."""
NICENESS = 5
"""Of a script, so that its watcher comes before it."""
_YEARS = 2**30
"""Seconds; a script that stays has no end of its own."""


def lock_in(base: "Base") -> None:
    """Landlock, then the system-call filter: from here on nothing can be undone."""
    landlock.lock(read=["/"], write=[*mounts.WRITABLE, *mounts.DEVICES])
    seccomp.lock(base.filter)


@dataclass(frozen=True)
class Place:
    """What differs between the levels for the last process."""

    workspace: str = mounts.WORKSPACE
    lock_in: Callable[["Base"], None] = lock_in
    tasks: int = 1
    """Of ours (process 1) or of the same user, which RLIMIT_NPROC counts too."""


def run(
    base: "Base",
    request: dict[str, Any],
    *,
    stdio: tuple[int, int, int],
    proc: int,
    going: int,
    place: Place = Place(),  # noqa: B008  frozen
) -> NoReturn:
    """Lock in, say "go" on `going`, run the script, leave with its exit code; never returns."""
    try:
        os.setpgid(0, 0)
        _take_stdio(stdio)
        _volunteer_for_the_oom_killer(proc)
        kernel.close_all_but({0, 1, 2, going})
        cores = _share_of_cores(request["limits"]["cpus"], request["turn"])
        _set_limits(request, base.data_bytes, place.tasks)
        os.chdir(place.workspace)
        place.lock_in(base)
        _refresh_interpreter(base, place.workspace)
        _take_over(request["environment"], base, cores)
    except BaseException as problem:  # nothing of the script has run: process 1 reports this as a broken sandbox
        _fail(going, problem)
    workspace = place.workspace
    del base, proc, place
    _become(request.pop("script"), workspace, going)


def stand(
    base: "Base",
    cue: socket.socket,
    enter: Callable[[], None],
    *,
    stdio: tuple[int, int, int],
    proc: int,
    going: int,
) -> NoReturn:
    """As `run`, but ahead of box and request; word of both comes over `cue`, then that to go."""
    try:
        os.setsid()
        _take_stdio(stdio)
        os.nice(NICENESS)
        _refresh_interpreter(base, mounts.WORKSPACE)
        if not cue.recv(1):  # the box was not built
            os._exit(0)
        enter()
        _volunteer_for_the_oom_killer(proc)
        kernel.close_all_but({0, 1, 2, going, cue.fileno()})
        cue.send(b".")
        request = _await_request(cue)
        cores = _share_of_cores(request["limits"]["cpus"], request["turn"])
        _set_limits(request, base.data_bytes, Place.tasks)
        _take_over(request["environment"], base, cores)
        _check_root(cue)
        os.chdir(mounts.WORKSPACE)
        lock_in(base)
    except BaseException as problem:  # nothing of the script has run: process 1 reports this as a broken sandbox
        _fail(going, problem)
    del base, cue, enter, proc
    _become(request.pop("script"), mounts.WORKSPACE, going)


def _await_request(cue: socket.socket) -> dict[str, Any]:
    fd = order.receive(cue)
    if fd is None:  # nobody wants this box any more
        os._exit(0)
    request = order.read(fd)
    os.close(fd)
    if not request["stays"]:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
    return request


def _check_root(cue: socket.socket) -> None:
    """Wait for the word to go, which carries the root of the box: no script runs in a process with another one."""
    root = order.receive(cue)
    if root is None:
        os._exit(1)
    if not os.path.samestat(os.fstat(root), os.stat("/")):  # noqa: PTH116  the root as this process sees it
        raise PermissionError(errno.EPERM, "the script's process is not in its box")
    os.close(root)
    cue.close()


def _fail(going: int, problem: BaseException) -> NoReturn:
    os.write(going, kernel.in_words(problem).encode()[:2000])
    os._exit(1)


def _become(script: str, workspace: str, going: int) -> NoReturn:
    os.write(going, b"go")
    os.close(going)
    _leave(_execute(script, workspace))


def stdio(request: dict[str, Any], said: int, out: int, err: int) -> tuple[int, int, int]:
    """What becomes 0, 1 and 2: a script that does not stay is never asked."""
    return said if request["stays"] else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), out, err


def _take_stdio(stdio: tuple[int, int, int]) -> None:
    for target, source in enumerate(stdio):
        os.dup2(source, target)


def _volunteer_for_the_oom_killer(proc: int) -> None:
    """When memory runs out, the kernel should take the script and not its watcher."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else the file is not ours, nor /proc/self the script's
    fd = os.open("self/oom_score_adj", os.O_WRONLY, dir_fd=proc)
    os.write(fd, b"1000")


def _share_of_cores(cpus: float, turn: int) -> int:
    """Pin to as many cores as the limit allows, not always the same ones; returns their number."""
    cores = sorted(os.sched_getaffinity(0))
    wanted = max(math.ceil(cpus), 1)
    if wanted < len(cores):
        start = turn * wanted % len(cores)
        cores = (cores + cores)[start : start + wanted]
        os.sched_setaffinity(0, cores)
    return len(cores)


def _set_limits(request: dict[str, Any], base_bytes: int, own_tasks: int) -> None:
    limits = request["limits"]
    data = base_bytes + (limits["memory_mb"] + _THREAD_STACKS_MB) * _MB
    cpu = _YEARS if request["stays"] else math.ceil(limits["cpu_seconds"] or limits["cpus"] * limits["seconds"]) + 2
    for kind, value in {
        resource.RLIMIT_DATA: data,
        resource.RLIMIT_NPROC: limits["processes"] + own_tasks,
        resource.RLIMIT_FSIZE: max(limits["written_mb"], mounts.scratch_mb(limits["memory_mb"])) * _MB,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_SIGPENDING: _SIGNALS,
        resource.RLIMIT_STACK: 8 * _MB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        hard = resource.getrlimit(kind)[1]
        value = (
            hard if value == resource.RLIM_INFINITY else value if hard == resource.RLIM_INFINITY else min(value, hard)
        )
        resource.setrlimit(kind, (value, value))


def _refresh_interpreter(base: "Base", workspace: str) -> None:
    """Make a forked interpreter look like one that has just started for this script."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path[:] = [workspace, *(entry for entry in sys.path if entry != base.own_path)]
    sys.argv[:] = [_SCRIPT]
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = _stream(fd, mode)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    _reseed()
    _keep_own_exit_handlers()
    for name in vars(sys.modules.pop("sandbox")):  # its modules among others; going through all that is loaded is slow
        sys.modules.pop(f"sandbox.{name}", None)
    importlib.invalidate_caches()
    gc.enable()


def _take_over(environment: dict[str, str], base: "Base", cores: int) -> None:
    """What a fresh interpreter would have been started with."""
    os.environ.clear()
    os.environ.update(environment)
    if cores != base.threads:
        importlib.import_module("threadpoolctl").threadpool_limits(cores)


def _stream(fd: int, mode: str) -> IO[str]:
    """A new text stream: the zygote's own believes to be a file, which pipes are not."""
    return os.fdopen(fd, mode, buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _reseed() -> None:
    """Two runs must not share the random state that they were forked with."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _keep_own_exit_handlers() -> None:
    """Exit handlers of the zygote would tidy away its things, not ours; only the ones a script relies on stay."""
    atexit._clear()
    for module, handler in (("logging", "shutdown"), ("multiprocessing.util", "_exit_function")):
        if module in sys.modules:
            atexit.register(getattr(sys.modules[module], handler))


def _execute(source: str, workspace: str) -> int:
    """Run the text as `__main__`; the exit code that Python would give."""
    module = types.ModuleType("__main__")
    module.__file__ = f"{workspace}/{_SCRIPT}"
    sys.modules["__main__"] = module
    linecache.cache[_SCRIPT] = (len(source), None, source.splitlines(keepends=True), _SCRIPT)
    try:
        exec(_compile(source), module.__dict__)  # what a sandbox is for
    except SystemExit as leaving:
        return _exit_code(leaving.code)
    except BaseException as problem:  # a script may end in any way; this is where Python itself would print it
        _show(problem)
        return 130 if isinstance(problem, KeyboardInterrupt) else 1
    return 0


def _compile(source: str) -> types.CodeType:
    try:
        return compile(source, _SCRIPT, "exec", dont_inherit=True)
    except UnicodeEncodeError:  # half a character: what Python says about a file with these bytes is a SyntaxError
        return compile(source.encode(errors="surrogatepass"), _SCRIPT, "exec", dont_inherit=True)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _show(problem: BaseException) -> None:
    """The traceback as Python prints it, from the script's own first line on."""
    frame = problem.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != _SCRIPT:
        frame = frame.tb_next
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(problem), problem, frame)
    else:
        traceback.print_exception(type(problem), problem, frame)


def _leave(code: int) -> NoReturn:
    """Wait for threads, run exit handlers, flush, and go without the slow teardown of the interpreter."""
    try:
        vars(threading)["_shutdown"]()  # what Python itself calls here
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException as problem:  # as Python: told, and the exit code stays
        _show(problem)
    os._exit(code)
