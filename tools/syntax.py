"""Python source as a tree, one thread at a time.

Python 3.11 counts how deep it is in a tree for the whole interpreter and not per thread: two that parse at the same
moment can end each other with "SystemError: AST constructor recursion depth mismatch" (seen with two scripts checked at
once).
"""

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()


def tree_of(source: str, filename: str = "script.py") -> ast.Module:
    """As `ast.parse`; raises SyntaxError and ValueError like it."""
    with _ONE_AT_A_TIME:
        return ast.parse(source, filename=filename)
