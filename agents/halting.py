"""Ending a training run early and keeping what it saved: the link between who says stop and the node that trains."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Halt:
    """Of one project while it works; the second time that it is asked to halt there is nothing more to keep."""

    def __init__(self) -> None:
        self._run: str | None = None
        self._kept: asyncio.Future[bool] | None = None

    @property
    def asked(self) -> bool:
        """Somebody wants the training to end here."""
        return self._kept is not None

    @property
    def waits(self) -> bool:
        """It was asked, and whether there is something to keep is not known yet."""
        return self._kept is not None and not self._kept.done()

    @contextmanager
    def possible(self, run: str) -> Iterator[None]:
        """While this lasts the training run of that id can be ended early."""
        self._run = run
        try:
            yield
        finally:
            self._run = None

    def ask(self) -> tuple[str, "asyncio.Future[bool]"] | None:
        """The run to end, and whether what it has saved could be kept; None when no training is going on."""
        if self._run is None or self._kept is not None:
            return None
        self._kept = asyncio.get_running_loop().create_future()
        return self._run, self._kept

    def settle(self, kept: bool) -> None:
        """Whoever asked learns whether the work goes on with what was saved."""
        if self._kept is not None and not self._kept.done():
            self._kept.set_result(kept)


OUT_OF_TIME = ("timeout", "cpu")
"""Outcomes of a script that took too long, by the wall clock or by the processor's."""


def kept_early(kind: str, seconds: float, *, asked: bool, left_model: bool) -> str | None:
    """Why a run that did not come to its own end counts all the same, in a sentence; None when it does not.

    A model is written whole or not at all (our recipes rename it into place), so one that is there is a good one.
    """
    if not left_model:
        return None
    if asked and kind == "killed_by_user":
        return f"Stopped by you after {seconds:.0f} s; the best model so far is kept."
    if kind in OUT_OF_TIME:
        return f"The script was ended after {seconds:.0f} s, its limit; the best model that it had saved is kept."
    return None
