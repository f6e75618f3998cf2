"""The warm Python that runs are forked from: it has imported the scientific packages and done nothing else.

It imports but never computes: one parallel region here and every LightGBM or HistGradientBoosting in a fork would hang.
It is started with an empty environment, holds no secret and no descriptor but its socket, and ends when we end.
One message on the socket starts one run: descriptors [request, stdout, stderr, status, cgroup...].
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import warnings
from pathlib import Path

from sandbox import box, mounts, seccomp

PRELOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "scipy.stats",
    "scipy.sparse.linalg",
    "joblib",
    "lightgbm",
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


def _preload() -> list[str]:
    """Import what scripts use; a package that is missing is the script's to report."""
    missing = []
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError as problem:
            missing.append(f"{name}: {problem}")
    with contextlib.suppress(ImportError):
        importlib.import_module("joblib").cpu_count(only_physical_cores=True)  # asks lscpu once, which a box cannot
    return missing


def _data_bytes() -> int:
    """What RLIMIT_DATA already counts for this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _serve(control: socket.socket, parent: int, base: box.Base) -> None:
    while True:
        ready, _, _ = select.select([control.fileno(), parent], [], [])
        if parent in ready:
            return
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _MAX_DESCRIPTORS)
        if not message:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fork() beside the idle threads of OpenBLAS: measured to be harmless
            pid = os.fork()
        if pid == 0:
            box.supervise(base, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def main(control_fd: int, parent_pid: int) -> None:
    """Warm up, say so, then fork one run per message until the socket closes or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o022)
    parent = os.pidfd_open(parent_pid)
    if os.getppid() != parent_pid:
        return
    control = socket.socket(fileno=control_fd)
    missing = _preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    base = box.Base(
        pid=os.getpid(),
        environment=mounts.python_environment(),
        covered=mounts.sample_tables(),
        data_bytes=_data_bytes(),
        filter=seccomp.program(),
        owner_map=box.owner_map() if box.is_root() else None,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        own_path=sys.path[0],
    )
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"event": "ready", "missing": missing}).encode())
    _serve(control, parent, base)
