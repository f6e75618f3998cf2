"""The warm Python that runs are forked from: it has imported the scientific packages and done nothing else.

It imports but never computes: one parallel region here and every LightGBM or HistGradientBoosting in a fork would hang.
It is started with an empty environment, holds no secret and no descriptor but its socket, and ends when we end.
What makes boxes and runs at a message is sandbox/usher.py.
"""

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from sandbox import box, kernel, making, mounts, reduced, seccomp, tree, usher
from sandbox.owners import Owner, Owners
from sandbox.probe import LEVELS

PRELOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "scipy.stats",
    "scipy.sparse.linalg",
    "joblib",
    "lightgbm",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "plotly.express",
    "plotly.graph_objects",
    "sklearn.calibration",
    "sklearn.cluster",
    "sklearn.compose",
    "sklearn.datasets",
    "sklearn.decomposition",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.feature_selection",
    "sklearn.impute",
    "sklearn.inspection",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "sklearn.tree",
    "threadpoolctl",
)


def preload(wanted: Callable[[], bool]) -> list[str]:
    """Import what scripts use; a package that is missing is the script's to report."""
    missing = []
    for name in PRELOADED:
        if not wanted():  # imports take seconds, and nobody waits any more
            raise SystemExit
        try:
            importlib.import_module(name)
        except ImportError as problem:
            missing.append(f"{name}: {problem}")
    with contextlib.suppress(ImportError):
        importlib.import_module("joblib").cpu_count(only_physical_cores=True)  # asks lscpu once, which a box cannot
    return missing


def data_bytes() -> int:
    """What RLIMIT_DATA already counts for this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def main(control_fd: int, parent_pid: int, level: int) -> None:
    """Warm up, say so, then fork until the socket closes or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o022)
    control = socket.socket(fileno=control_fd)
    try:
        if os.getppid() == parent_pid:
            serve = _serve_boxes if LEVELS[level] == "full" else _serve_runs
            serve(control, os.pidfd_open(parent_pid), parent_pid)
    finally:
        _tidy()


def _serve_boxes(control: socket.socket, parent: int, parent_pid: int) -> None:
    """An usher, forked while this is small, makes the boxes; what is large forks the scripts only."""
    box.own_user()
    tree.adopt_orphans()
    desk, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    base = _base()
    zygote, pid = os.getpid(), os.fork()
    if pid == 0:
        desk.close()
        _usher(control, parent, zygote, replace(base, pid=os.getpid(), maker=theirs.detach()))
    theirs.close()
    ended = os.pidfd_open(pid)
    base, missing = _warmed_up(base, parent_pid)
    _settle(control, missing)
    control.close()
    with desk:
        making.make(desk, (parent, ended), partial(box.be_script, base))
    tree.end_all()  # of a box half made somebody may wait for what never comes


def _usher(control: socket.socket, parent: int, zygote: int, base: box.Base) -> NoReturn:
    """Small, and bound to the zygote's life."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        kernel.name_process(usher.NAME)
        if os.getppid() == zygote:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            gc.freeze()
            owners = Owners() if box.is_root() else None
            usher.serve(control, parent, partial(_supervise, base), owners)
    finally:
        os._exit(0)


def _supervise(base: box.Base, owner: Owner | None, descriptors: list[int]) -> NoReturn:
    box.supervise(replace(base, owner=owner), descriptors)


def _serve_runs(control: socket.socket, parent: int, parent_pid: int) -> None:
    """Where a script descends from its supervisor, it is the zygote that forks that."""
    base, missing = _warmed_up(_base(), parent_pid)
    with contextlib.suppress(ImportError):  # of joblib: the script's to report
        importlib.import_module("sandbox.threads").work_without_processes()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    supervise = partial(reduced.supervise, reduced.prepare(base, as_root=box.is_root()))
    _settle(control, missing)
    usher.serve(control, parent, lambda _, descriptors: supervise(descriptors), None)


def _base() -> box.Base:
    """As far as it is known before anything is imported."""
    return box.Base(
        pid=os.getpid(),
        environment=mounts.python_environment(),
        covered=mounts.sample_tables(),
        data_bytes=0,
        filter=seccomp.program(),
        owner=None,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        own_path=sys.path[0],
    )


def _warmed_up(base: box.Base, parent_pid: int) -> tuple[box.Base, list[str]]:
    """With everything imported; also what is missing."""
    try:
        missing = preload(lambda: os.getppid() == parent_pid)
    finally:
        _tidy()
    return replace(base, data_bytes=data_bytes()), missing


def _tidy() -> None:
    """Take away what imports have written; nobody else may be left to do it."""
    shutil.rmtree(os.environ["MPLCONFIGDIR"], ignore_errors=True)


def _settle(control: socket.socket, missing: list[str]) -> None:
    """Make forks cheap, and say that we are ready."""
    gc.collect()
    gc.freeze()
    if (pid := usher.fork()) == 0:  # before a fork OpenBLAS ends its threads: later forks find none
        os._exit(0)
    with contextlib.suppress(ChildProcessError):  # nobody has to wait for those who are ignored
        os.waitpid(pid, 0)
    kernel.join_relocated()
    kernel.gather_memory()
    control.send(json.dumps({"event": "ready", "missing": missing}).encode())
