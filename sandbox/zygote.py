"""The warm Python that runs are forked from: it has imported the scientific packages and done nothing else.

It imports but never computes: one parallel region here and every LightGBM or HistGradientBoosting in a fork would hang.
It is started with an empty environment, holds no secret and no descriptor but its socket, and ends when we end.
One message on the socket makes one box: descriptors [orders, stdin, stdout, stderr, status, cgroup...].
"""

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from sandbox import box, kernel, mounts, reduced, seccomp, tree
from sandbox.owners import Owner, Owners
from sandbox.probe import LEVELS, Level

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
_MAX_DESCRIPTORS = 16
_MESSAGE = 4096


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


Life = Callable[[Owner | None, list[int]], NoReturn]
"""What a fork does with its owner and the descriptors of its run."""


def _life(level: Level, base: box.Base) -> Life:
    if level == "reduced":
        supervise = partial(reduced.supervise, reduced.prepare(base, as_root=box.is_root()))
        return lambda _, descriptors: supervise(descriptors)
    return lambda owner, descriptors: box.supervise(replace(base, owner=owner), descriptors)


def _serve(control: socket.socket, parent: int, live: Life, owners: Owners | None) -> None:
    forks: dict[int, tuple[int, Owner | None]] = {}
    """Process ids of the supervisors that live, and whom their scripts are, by descriptor."""
    while True:
        ready = _wait_for(control.fileno(), parent, *forks)
        if parent in ready:
            return
        if ended := forks.keys() & ready:
            for pidfd in ended:
                os.close(pidfd)
                _, owner = forks.pop(pidfd)
                if owners and owner:
                    owners.take_back(owner)
            tree.end_strays([pid for pid, _ in forks.values()])  # of a supervisor that was killed
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _MAX_DESCRIPTORS)
        if not message:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fork() beside the idle threads of OpenBLAS: measured to be harmless
            owner = owners.lend() if owners else None
            pid = os.fork()
        if pid == 0:
            live(owner, descriptors)
        try:
            forks[os.pidfd_open(pid)] = pid, owner
        except ProcessLookupError:  # it has ended already
            if owners and owner:
                owners.take_back(owner)
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_for(*descriptors: int) -> set[int]:
    """Those of them that have something to tell."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll()}


def main(control_fd: int, parent_pid: int, level: int) -> None:
    """Warm up, say so, then fork one box per message until the socket closes or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o022)
    control = socket.socket(fileno=control_fd)
    full = LEVELS[level] == "full"
    try:
        missing = preload(lambda: os.getppid() == parent_pid)
    finally:
        shutil.rmtree(os.environ["MPLCONFIGDIR"], ignore_errors=True)  # nobody else may be left to do it
    if not full:
        with contextlib.suppress(ImportError):  # of joblib: the script's to report
            importlib.import_module("sandbox.threads").work_without_processes()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    base = box.Base(
        pid=os.getpid(),
        environment=mounts.python_environment(),
        covered=mounts.sample_tables(),
        data_bytes=data_bytes(),
        filter=seccomp.program(),
        owner=None,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        own_path=sys.path[0],
    )
    parent = os.pidfd_open(parent_pid)
    if os.getppid() != parent_pid:
        return
    live = _life(LEVELS[level], base)
    owners = Owners() if full and box.is_root() else None
    tree.adopt_orphans()
    gc.collect()
    gc.freeze()
    kernel.gather_memory()
    control.send(json.dumps({"event": "ready", "missing": missing}).encode())
    _serve(control, parent, live, owners)
