"""Turns the bytes that a script writes into `Output` text and `Metric` records, as early as possible."""

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import Literal

from sandbox.base import Metric, Output

_MARK = "@@"
_LONGEST_METRIC = 2**16
"""A longer line is text, whatever it starts with."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Splitter:
    """One stream of one run; `feed` what was read, then `finish`."""

    def __init__(self, stream: Literal["stdout", "stderr"]) -> None:
        self._stream: Literal["stdout", "stderr"] = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._at_line_start = True
        self.tail = ""
        """The last few thousand characters, for the outcome's sentence."""

    def feed(self, data: bytes) -> Iterator[Output | Metric]:
        """What is complete so far; only a line that may become a metric is held back."""
        yield from self._take(self._decoder.decode(data))

    def finish(self) -> Iterator[Output | Metric]:
        """What was held back."""
        yield from self._take(self._decoder.decode(b"", final=True))
        held, self._held = self._held, ""
        if held:
            yield parse(held) or Output(self._stream, held)

    def _take(self, text: str) -> Iterator[Output | Metric]:
        self.tail = (self.tail + text)[-4000:]
        if self._stream == "stderr":
            if text:
                yield Output("stderr", text)
            return
        plain = ""
        pieces = _LINES.findall(self._held + text)
        self._held = ""
        for piece in pieces:
            candidate = self._at_line_start and _may_be_metric(piece)
            if candidate and not piece.endswith("\n"):
                self._held = piece
                break
            if candidate and (metric := parse(piece)):
                if plain:
                    yield Output("stdout", plain)
                plain = ""
                yield metric
            else:
                plain += piece
                self._at_line_start = piece.endswith("\n")
        if plain:
            yield Output("stdout", plain)


def _may_be_metric(piece: str) -> bool:
    return len(piece) < _LONGEST_METRIC and (piece.startswith(_MARK) or _MARK.startswith(piece))


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def parse(line: str) -> Metric | None:
    """The metric in a line, or None; NaN and infinities become None so that the record stays JSON."""
    if not line.startswith(_MARK):
        return None
    try:
        values = json.loads(line[len(_MARK) :], parse_float=_finite, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return Metric(values) if isinstance(values, dict) else None
