"""Cell values that stand in a script (classes, categories) are stand-ins while a language model works at it.

A recipe names the classes of the target, and a person's script may compare a column with a word. With a veil the model
reads VALUE_1 where “churned” stands, and what it writes is put back before anything is made of it.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

MOST_VALUES = 5000
_STAND_IN = re.compile(r"\bVALUE_(\d+)\b")
_HIDING = frozenset(
    getattr(tokenize, name) for name in ("STRING", "COMMENT", "FSTRING_MIDDLE") if hasattr(tokenize, name)
)
_SAYS_NOTHING = re.compile(r"\d{1,2}|true|false", re.IGNORECASE)
"""Codes of classes that could be anybody's; hiding them would only make a script unreadable."""


@dataclass(frozen=True)
class Veil:
    """Values in a fixed order; number n of them is VALUE_n outside."""

    values: tuple[str, ...] = ()

    @classmethod
    def over(cls, values: Iterable[str], told: Iterable[str] = ()) -> "Veil":
        """Of the values that are no word in `told` (columns have names that a model is told anyway)."""
        open_ones = frozenset(told)
        kept = dict.fromkeys(
            value for value in values if value.strip() and value not in open_ones and not _SAYS_NOTHING.fullmatch(value)
        )
        return cls(tuple(kept)[:MOST_VALUES])

    def hide(self, script: str) -> str:
        """The script with stand-ins in its texts and comments; one that cannot be read hides them everywhere."""
        return _in_texts(script, self._hidden, self.hide_in_words) if self.values else script

    def hide_in_words(self, text: str) -> str:
        """Every value that stands in a text as a word of its own."""
        return self._found.sub(lambda found: f"VALUE_{self._number[found.group()]}", text) if self.values else text

    def show(self, script: str) -> str:
        """The values again, where stand-ins are; written so that they stay within the quotes around them."""
        return _in_texts(script, self._shown, lambda text: self._put_back(text, ""))

    def unknown(self, script: str) -> str:
        """The first stand-in that stands for nothing, "" when there is none."""
        numbers = (int(found.group(1)) for found in _STAND_IN.finditer(script))
        return next((f"VALUE_{number}" for number in numbers if not 1 <= number <= len(self.values)), "")

    def _hidden(self, token: str) -> str:
        written = self.hide_in_words(token)
        try:
            meant = ast.literal_eval(token)
        except (ValueError, SyntaxError):  # a comment, a piece of an f-string
            return written
        hidden = self.hide_in_words(meant) if isinstance(meant, str) else meant
        if hidden != meant and ast.literal_eval(written) != hidden:  # a value that is written with escapes
            return repr(hidden)
        return written

    def _shown(self, token: str) -> str:
        return self._put_back(token, token.rstrip()[-1:] if token.rstrip()[-1:] in ("'", '"') else "")

    def _put_back(self, text: str, quote: str) -> str:
        def value(found: re.Match[str]) -> str:
            number = int(found.group(1))
            if not 1 <= number <= len(self.values):
                return found.group()
            kept = self.values[number - 1]
            if not quote:
                return kept.replace("\n", " ")
            return kept.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n").replace("\r", "\\r")

        return _STAND_IN.sub(value, text)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {value: number for number, value in enumerate(self.values, start=1)}

    @cached_property
    def _found(self) -> re.Pattern[str]:
        longest_first = sorted(self.values, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(value) for value in longest_first)})(?!\w)")


def _in_texts(script: str, change: Callable[[str], str], otherwise: Callable[[str], str]) -> str:
    """Every text and comment of a script changed; what is no Python is changed as a whole by `otherwise`."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(script).readline))
    except (tokenize.TokenError, SyntaxError):
        return otherwise(script)
    if any(token.type == tokenize.ERRORTOKEN for token in tokens):  # a text without an end, before Python 3.12
        return otherwise(script)
    lines = io.StringIO(script).readlines()  # as tokenize counts them: a form feed ends no line
    for token in reversed(tokens):
        if token.type not in _HIDING:
            continue
        (first, start), (last, end) = token.start, token.end
        head, tail = lines[first - 1][:start], lines[last - 1][end:]
        lines[first - 1 : last] = [head + change(token.string) + tail]
    return "".join(lines)
