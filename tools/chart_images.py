"""PNG files from chart specifications, in a process of its own that is kept warm.

vl-convert carries a JavaScript engine: the first picture takes about half a second, the next ones some 50 ms, and it
holds the GIL meanwhile. So worker programs (this file, run as a script) draw; each ends when its stdin is closed, so
whatever happens to us, it does not outlive us.
"""

import base64
import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tools.charts import Chart

SCALE = 2.0
PATIENCE = 30.0
"""Seconds for one picture; then the worker is ended and the picture is reported as failed."""
_FONT = "DejaVu Sans, Liberation Sans, Arial, Noto Sans, Noto Sans CJK SC, sans-serif"
LIGHT: dict[str, Any] = {
    "background": "white",
    "font": _FONT,
    "padding": 14,
    "view": {"stroke": "#d7dade"},
    "title": {"fontSize": 15, "subtitleFontSize": 11, "color": "#1f2328", "offset": 12, "subtitlePadding": 4},
    "axis": {
        "labelColor": "#3c4043", "titleColor": "#3c4043", "labelFontSize": 11, "titleFontSize": 11,
        "titleFontWeight": "normal", "gridColor": "#eceff1", "domainColor": "#9aa0a6", "tickColor": "#9aa0a6",
    },
    "legend": {"labelColor": "#3c4043", "labelFontSize": 11},
}  # fmt: skip


class ChartError(RuntimeError):
    """A picture could not be drawn; the message says which and why."""


def png(spec: dict[str, Any]) -> bytes:
    """One picture in this process (blocks, holds the GIL; see `Renderer` for many)."""
    import vl_convert

    # Without the empty list it would fetch any address that a specification names.
    drawn = vl_convert.vegalite_to_png(spec, scale=SCALE, config=LIGHT, allowed_base_urls=[])
    return bytes(drawn)


class Renderer:
    """Warm drawing processes. Safe to use from several threads."""

    def __init__(self, workers: int = 2) -> None:
        self._workers = [_Worker() for _ in range(workers)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def warm(self) -> None:
        """Start the workers and let them load in the background; returns at once, harmless to call twice."""
        for worker in self._workers:
            worker.start()

    def png(self, spec: dict[str, Any]) -> bytes:
        """One picture; waits for a free worker; raises `ChartError`."""
        worker = self._free.get()
        try:
            return worker.draw(spec)
        finally:
            self._free.put(worker)

    def render_all(self, charts: Sequence["Chart"], folder: Path) -> tuple[Path, ...]:
        """Write `<name>.png` of each chart into `folder`; raises `ChartError` or OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = tuple(folder / f"{chart.name}.png" for chart in charts)
        with ThreadPoolExecutor(max_workers=len(self._workers)) as pool:
            pictures = pool.map(self.png, (chart.spec for chart in charts))
            for path, picture in zip(paths, pictures, strict=True):
                path.write_bytes(picture)
        return paths

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Worker:
    """One drawing process, started when it is first needed and again when it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._lock:
            self._ready()

    def draw(self, spec: dict[str, Any]) -> bytes:
        asked, line = json.dumps(spec).encode() + b"\n", b""
        with self._lock:
            for _ in range(2):  # a worker that was killed meanwhile is replaced once
                line = self._exchange(asked)
                if line:
                    break
                self._end()
        answer = json.loads(line) if line else {"error": f"its process ended, or took more than {PATIENCE:.0f} s"}
        if "png" not in answer:
            raise ChartError(f"A chart could not be drawn: {answer['error']}")
        return base64.b64decode(answer["png"])

    def end(self) -> None:
        with self._lock:
            self._end()

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            # A session of its own: Ctrl-C in the terminal is for us, not for the worker.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def _exchange(self, line: bytes) -> bytes:
        """The worker's answer; empty if it has died or takes too long."""
        process = self._ready()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            return process.stdout.readline()
        except OSError:
            return b""
        finally:
            timer.cancel()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


def render_all(charts: Sequence["Chart"], folder: Path) -> tuple[Path, ...]:
    """Draw a set with workers started for it (about half a second more than with a warm `Renderer`)."""
    with Renderer() as renderer:
        return renderer.render_all(charts, folder)


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """The worker: a specification per line in, an answer per line out, until stdin is closed."""
    with contextlib.suppress(ValueError):
        png({"mark": "point", "data": {"values": []}})
    for line in asked:
        try:
            answer = {"png": base64.b64encode(png(json.loads(line))).decode()}
        except ValueError as problem:
            answer = {"error": str(problem).splitlines()[0]}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
