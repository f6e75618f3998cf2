"""Chainlit's page without anything from another host (it links to a font service and a formula renderer)."""

import re
from collections.abc import Callable

_FOREIGN_LINK = re.compile(r"<link\b[^>]*\bhref=\"https?://[^>]*>\s*", re.DOTALL)
_FOREIGN_META = re.compile(r"<meta property=\"og:(?:image|url)\"[^>]*>\s*")


def local_only(page: str) -> str:
    """Drop every link that leads away."""
    return _FOREIGN_META.sub("", _FOREIGN_LINK.sub("", page))


def local_template(original: Callable[[str], str]) -> Callable[[str], str]:
    """Chainlit's template function, with the page cleaned."""

    def template(root_path: str) -> str:
        return local_only(original(root_path))

    return template
