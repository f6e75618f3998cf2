"""Texts and numbers that come from outside, made fit for a terminal."""


def printable(text: str) -> str:
    """Text from a table or a script without anything that could steer the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "�" for character in text.expandtabs(4)
    )


def amount(value: float) -> str:
    """A measured number as people read it: four significant digits, thousands apart."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
