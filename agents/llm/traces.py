"""What a language model may be told of a failed run: exception, line and the words of the message, no value of a cell.

Messages quote what they choke on ("could not convert string to float: 'Smith'"), with quotes and without them. So a
word passes only when it stands in the script itself, is the name of a column, or is one of the words that error
messages are made of; whatever else was there becomes an ellipsis. Numbers of three digits and more are hidden too.
"""

import builtins
import re
from collections.abc import Collection
from dataclasses import dataclass

MOST_FRAMES = 4
MOST_WORDS = 60
HIDDEN = "…"
_FRAME = re.compile(r'^\s*File "([^"]*)", line (\d+)(?:, in (\S+))?', re.MULTILINE)
_LAST = re.compile(
    r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration))(?:: (.*))?$"
)
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|‘[^’\n]*’|b'[^'\n]*'")
_PART = re.compile(r"[^\W\d_][\w]*|\d[\d.,]*|[^\w\s]|\S")
_WORDS = """
a all allowed ambiguous an and any are argument arguments array arrays as assignment at attribute axis be been before
bool boolean both bound bounds broadcast but by bytes call callable can cannot cast categorical class classes code
column columns compare comparison contain contains convert converted could cv data dataframe date datetime default
defined deprecated dict dictionary did different dimension dimensions directory division do does dtype dtypes
duplicate duplicated empty encountered equal error estimator exceeded expected expects failed false feature features
few file files find first fit fitted float float64 folds for format found from function get given got greater group
groups has have header if import in inconsistent index indexer indexing indices infinite infinity initial initializer
input inputs instance instead int integer into invalid is it item items iterable its joblib json key keys keyword
label labels large least left length less like list local lower match max maximum member merge method min minimum
missing mismatch mode model module more multiple must name named names nan negative no non none not null number
numbers numeric numpy object objects of on one only operand operands operation operator option or order out output
overflow pandas parameter parameters parse path permission permitted pipeline position positional positive predict
predict_proba probabilities probability problem range read recursion reference referenced required result return row
rows same sample samples saved scalar score sequence series set shape shapes should single size slice some sparse
split splits str string strings subscriptable such supported table target than that the there this time to together
too train training transform true tuple two type types unable unexpected unhashable unique unknown unpack unsupported
use used using valid value values variable variables was were when which while with within without write wrong x y you
zero
"""
_COMMON = frozenset(_WORDS.split())
_RUN = re.compile(r"\d[\d\s.,:/()-]*\d")
"""A date or a telephone number comes in pieces."""
_LIBRARIES = frozenset(
    {
        "NotFittedError",
        "LightGBMError",
        "XGBoostError",
        "CatBoostError",
        "LinAlgError",
        "ParserError",
        "DateParseError",
        "DataError",
        "IndexingError",
        "DuplicateLabelError",
        "ArrowNotImplementedError",
        "EmptyDataError",
        "MergeError",
        "InvalidIndexError",
        "IntCastingNaNError",
        "UndefinedVariableError",
        "ArrowException",
        "ArrowTypeError",
    }
)


@dataclass(frozen=True)
class Trace:
    """What a failed run has said on stderr, made fit to be told."""

    text: str
    line: int | None
    """Of the script, the innermost that is in it."""


def masked(stderr: str, script: str, names: Collection[str] = ()) -> Trace:
    """The last traceback of a run of `script`; `names` of columns may be told.

    Text without a traceback tells nothing, and an empty text is returned for it.
    """
    begun = stderr.rfind("Traceback (most recent call last)")
    if begun < 0:
        return Trace("", None)
    frames = _FRAME.findall(stderr, begun)
    own = [(int(line), function) for file, line, function in frames if _is_the_script(file)]
    last = next(
        (found for line in reversed(stderr[begun:].splitlines()) if (found := _LAST.match(line.rstrip()))), None
    )
    lines = script.split("\n")
    defined = set(re.findall(r"\bdef (\w+)", script))
    placed = [(number, function if function in defined else "") for number, function in own[-MOST_FRAMES:]]
    told = [_frame(number, function, lines) for number, function in placed if 0 < number <= len(lines)]
    kind = _kind(last.group(1).rpartition(".")[2], script) if last else "an error"
    message = _allowed(last.group(2) or "", script, names) if last else ""
    told.append(f"{kind}: {message}" if message else kind)
    return Trace("\n".join(told), own[-1][0] if own else None)


def _frame(number: int, function: str, lines: list[str]) -> str:
    """The line comes from the script that the model has before it, not from stderr."""
    where = f"line {number}" + (f", in {function}" if function and function != "<module>" else "")
    return f"{where}: {lines[number - 1].strip()[:200]}"


def _kind(name: str, script: str) -> str:
    """A script can make an exception of any name, a value of the table for one."""
    known = hasattr(builtins, name) or name in _LIBRARIES or re.search(rf"\b{name}\b", script)
    return name if known else "an error"


def _is_the_script(file: str) -> bool:
    """Everything else that a traceback passes through is a library's."""
    return "site-packages" not in file and "/lib/python" not in file and not file.startswith("<frozen")


def _allowed(message: str, script: str, names: Collection[str]) -> str:
    known = _COMMON | {word.lower() for word in re.findall(r"[^\W\d]\w*", script)}
    known |= {word.lower() for name in names for word in re.findall(r"[^\W\d]\w*", name)}
    plain = _QUOTED.sub(lambda quoted: _of_quoted(quoted.group(), script, names), message)
    plain = _RUN.sub(lambda run: run.group() if sum(map(str.isdigit, run.group())) < 3 else HIDDEN, plain)
    parts = [_part(part, known) for part in _PART.findall(plain)[:MOST_WORDS]]
    return re.sub(rf"{HIDDEN}(\W*{HIDDEN})+", HIDDEN, " ".join(parts)).strip()


def _of_quoted(quoted: str, script: str, names: Collection[str]) -> str:
    """A column, or a word that the script itself has between quotes, may be told."""
    inside = quoted.lstrip("b")[1:-1]
    return inside if inside in names or (inside and quoted in script) else HIDDEN


def _part(part: str, known: Collection[str]) -> str:
    if part[0].isdigit():
        return part if sum(letter.isdigit() for letter in part) < 3 else HIDDEN
    if part[0].isalpha():
        return part if part.lower() in known else HIDDEN
    return part
