"""Words from outside (column names, labels, requests) in Markdown that we write."""

import re

_JOINER = "\u2060"
"""Word joiner: invisible. Links are made of bare addresses after escapes are gone, so only this takes them apart."""
_MARKUP = re.compile(r"[\\`*\[\]<>#|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w)|:(?=[^\W\d_]|:)|!(?=\[)")
_AT_THE_START = re.compile(r"^([-+](?=\s|$)|-(?=--)|=(?==|$))|^(\d+)([.)])(?=\s|$)")
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@)(?=[-\w]+\.)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def read_aloud(markdown: str) -> str:
    """The words of `plain` again, for where nobody renders Markdown: a command in them can be copied."""
    return _ESCAPED.sub(r"\1", markdown).replace(_JOINER, "")


def plain(text: str) -> str:
    """Words from outside in Markdown: no line breaks, nothing that is markup, a directive or an address to press.

    An underscore within a word is no markup, and a lone colon, dash or number is left as it is.
    """
    line = " ".join(str(text).split())
    line = _ADDRESS.sub(_JOINER, line)
    line = _MARKUP.sub(lambda found: f"\\{found.group()}", line)
    return _AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line)
