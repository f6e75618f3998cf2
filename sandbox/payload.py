"""The last process: gives up what is left, locks itself in, tidies the forked interpreter and becomes the script."""

import atexit
import gc
import importlib
import linecache
import math
import os
import random
import resource
import signal
import sys
import threading
import traceback
import types
from typing import IO, TYPE_CHECKING, Any, NoReturn

from sandbox import kernel, landlock, mounts, seccomp

if TYPE_CHECKING:
    from sandbox.box import Base

_SCRIPT = "script.py"
_MB = 2**20
_THREAD_STACKS_MB = 128
_OPEN_FILES = 1024


def run(base: "Base", request: dict[str, Any], *, out: int, err: int, proc: int, going: int) -> NoReturn:
    """Lock in, say "go" on `going`, run the script, leave with its exit code; never returns."""
    try:
        _take_stdio(out, err)
        _volunteer_for_the_oom_killer(proc)
        kernel.close_all_but({0, 1, 2, going})
        cores = _share_of_cores(request["limits"]["cpus"], request["turn"])
        _set_limits(request["limits"], base.data_bytes)
        os.chdir(mounts.WORKSPACE)
        lock_in(base)
        _refresh_interpreter(request["environment"], base, cores)
    except BaseException as problem:  # nothing of the script has run: process 1 reports this as a broken sandbox
        os.write(going, kernel.in_words(problem).encode()[:2000])
        os._exit(1)
    os.write(going, b"go")
    os.close(going)
    del base, proc
    _leave(_execute(request.pop("script")))


def lock_in(base: "Base") -> None:
    """Landlock, then the system-call filter: from here on nothing can be undone."""
    landlock.lock(read=["/"], write=[*mounts.WRITABLE, *mounts.DEVICES])
    seccomp.lock(base.filter)


def _take_stdio(out: int, err: int) -> None:
    os.setpgid(0, 0)
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
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


def _set_limits(limits: dict[str, Any], base_bytes: int) -> None:
    data = base_bytes + (limits["memory_mb"] + _THREAD_STACKS_MB) * _MB
    cpu = math.ceil(limits["cpus"] * limits["seconds"]) + 2
    for kind, value in {
        resource.RLIMIT_DATA: data,
        resource.RLIMIT_NPROC: limits["processes"] + 1,  # process 1 counts too
        resource.RLIMIT_FSIZE: max(limits["written_mb"], mounts.scratch_mb(limits["memory_mb"])) * _MB,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_STACK: 8 * _MB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 64 * 1024,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _refresh_interpreter(environment: dict[str, str], base: "Base", cores: int) -> None:
    """Make a forked interpreter look like one that has just started for this script."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [mounts.WORKSPACE, *(entry for entry in sys.path if entry != base.own_path)]
    sys.argv[:] = [_SCRIPT]
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = _stream(fd, mode)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    _reseed()
    _keep_own_exit_handlers()
    if cores != base.threads:
        importlib.import_module("threadpoolctl").threadpool_limits(cores)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    gc.enable()


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


def _execute(source: str) -> int:
    """Run the text as `__main__`; the exit code that Python would give."""
    module = types.ModuleType("__main__")
    module.__file__ = f"{mounts.WORKSPACE}/{_SCRIPT}"
    sys.modules["__main__"] = module
    linecache.cache[_SCRIPT] = (len(source), None, source.splitlines(keepends=True), _SCRIPT)
    try:
        exec(compile(source, _SCRIPT, "exec", dont_inherit=True), module.__dict__)  # what a sandbox is for
    except SystemExit as leaving:
        return _exit_code(leaving.code)
    except BaseException as problem:  # a script may end in any way; this is where Python itself would print it
        _show(problem)
        return 130 if isinstance(problem, KeyboardInterrupt) else 1
    return 0


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
