"""What a piece of text can stand for: the regular expressions that SQL (RE2) and Python share."""

import re

INTEGER = r"[+-]?(0|[1-9][0-9]*)"
NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
INFINITE = r"[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?"
LEADING_ZERO = r"[+-]?0[0-9]+(\.[0-9]*)?"
BOOLEAN = r"([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])"
PHONE = r"\+[0-9]{7,}"
"""A plus sign before many digits: the plus is part of the value."""
LOOSE = r"[$€£¥]?[ \x{a0}]?[+-]?[$€£¥]?[0-9][0-9 .,'\x{a0}\x{202f}]*[ \x{a0}]?[%$€£¥]?"
"""A number with thousands marks, a decimal comma, a currency or a percent sign."""
CLOCK = (
    r"([ T]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?( ?[aApP]\.?[mM]\.?)?"
    r"( ?(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?))?)?"
)
DAY = (
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}"
    r"|[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2}|[0-9]{2}\.[0-9]{2}\.[0-9]{2})"
)
WORDY_DAY = r"([0-9]{1,2}[- ][A-Za-z]{3,9}[- ,]+([0-9]{4}|[0-9]{2})|[A-Za-z]{3,9} [0-9]{1,2},? [0-9]{4})"
DATE = rf"({DAY}|{WORDY_DAY}){CLOCK}"
MISSING = (
    *("na", "n/a", "n.a.", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "nat", "\\n"),
    *("-", "--", "---", "?", ".", "..", "*", "missing", "#value!", "#div/0!", "#null!", "#ref!", "#num!"),
)
"""Lower case. They stand for "no value" only in columns whose other values are all numbers, dates or booleans."""

TYPED = re.compile(f"({NUMBER}|{LEADING_ZERO}|{BOOLEAN}|{DATE})")
LOOSE_NUMBER = re.compile(LOOSE.replace(r"\x{a0}", "\u00a0").replace(r"\x{202f}", "\u202f"))


def looks_typed(cell: str) -> bool:
    """The cell is a number, a date or a boolean, not a name."""
    text = cell.strip()
    return bool(TYPED.fullmatch(text) or LOOSE_NUMBER.fullmatch(text))
