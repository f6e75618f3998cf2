"""joblib where no process can be started for it, because semaphores need a /dev/shm: threads, or one after the other.

Without this, joblib would give up its threads too, although only their pool (`multiprocessing.pool.ThreadPool`) asks
for a semaphore, and never uses it.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from joblib import register_parallel_backend
from joblib.parallel import LokyBackend, MultiprocessingBackend, ThreadingBackend


class _Pool:
    """As much of a `ThreadPool` as joblib asks for."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads)

    def apply_async(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
        callback: Callable[[Any], None] | None = None,
        error_callback: Callable[[BaseException], None] | None = None,
    ) -> "Future[Any]":
        """Start one piece of work; one of the callbacks is told how it ended."""

        def tell(done: "Future[Any]") -> None:
            if done.cancelled():
                return
            problem = done.exception()
            if problem is not None and error_callback is not None:
                error_callback(problem)
            elif problem is None and callback is not None:
                callback(done.result())

        work = self._executor.submit(function, *arguments, **(named or {}))
        work.add_done_callback(tell)
        return work

    def close(self) -> None:
        """Take no more work."""

    def terminate(self) -> None:
        """Drop what has not begun and wait for the rest."""
        self._executor.shutdown(cancel_futures=True)


class _Threads(ThreadingBackend):  # type: ignore[misc]  # joblib has no types
    _pool: _Pool | None = None

    def _get_pool(self) -> _Pool:
        if self._pool is None:
            self._pool = _Pool(self._n_jobs)
        return self._pool


class _NoProcesses(LokyBackend):  # type: ignore[misc]  # joblib has no types
    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """One, so that joblib does the work itself."""
        return 1


class _NoForks(MultiprocessingBackend):  # type: ignore[misc]  # joblib has no types
    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """One, so that joblib does the work itself."""
        return 1


def work_without_processes() -> None:
    """Have joblib of this process, and of its forks, start no process but use threads where it is asked for them."""
    register_parallel_backend("threading", _Threads)
    register_parallel_backend("loky", _NoProcesses)
    register_parallel_backend("multiprocessing", _NoForks)
