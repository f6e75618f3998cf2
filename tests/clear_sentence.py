"""What a user may be told when something does not work."""

import re

_INSIDE = re.compile(
    r"Traceback|<class|<[\w.]+ object|0x[0-9a-f]{6,}"
    r"|\b(Type|Value|Key|Index|Attribute|Runtime|Assertion|Overflow)Error\b"
    r"|\bpyarrow\.|\bpandas\.|\bduckdb\.|\bArrowInvalid\b|Binder Error|Conversion Error|NoneType"
)
LONGEST = 1500
"""Characters; names of columns are cut before."""


def assert_clear(sentence: str) -> None:
    """A sentence or more, in words: it begins like one, ends like one, and shows nothing of our insides."""
    assert sentence.strip() == sentence, repr(sentence)
    assert sentence, "nothing was said"
    assert sentence[0].isupper() or not sentence[0].isalpha(), sentence
    assert sentence[-1] in ".?!)”", sentence
    assert len(sentence) <= LONGEST, f"{len(sentence)} characters: {sentence[:200]}"
    assert not (found := _INSIDE.search(sentence)), f"{found}: {sentence}"
