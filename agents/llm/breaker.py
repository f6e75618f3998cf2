"""A circuit breaker per endpoint: one that keeps failing is left alone, then asked once whether it is well again.

Our own, as the libraries let everybody through while they probe: on a server that hangs, every agent would wait.
Source: M. Nygard, Release It!, 2nd ed. 2018, "Circuit Breaker".
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Breaker:
    """Closed: calls go through. Open: none does. Half open: exactly one does, and decides."""

    threshold: int = 3
    """Failures in a row that open it."""
    rest: float = 30.0
    """Seconds until the probe."""
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _opened: float | None = field(default=None, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def open_for(self) -> float:
        """Seconds until a call may go through; 0: now."""
        if self._opened is None:
            return 0.0
        if self._probing:
            return self.rest
        return max(0.0, self._opened + self.rest - self.clock())

    def enter(self) -> bool:
        """Whether a call may go through; a call that did ends with `worked` or `failed` or `gave_up`."""
        if self.open_for > 0:
            return False
        self._probing = self._opened is not None
        return True

    def worked(self) -> None:
        """The endpoint is well."""
        self._failures, self._opened, self._probing = 0, None, False

    def failed(self) -> None:
        """The endpoint is sick."""
        self._failures += 1
        if self._probing or self._failures >= self.threshold:
            self._opened = self.clock()
        self._probing = False

    def gave_up(self) -> None:
        """The call was abandoned and says nothing of the endpoint."""
        self._probing = False
