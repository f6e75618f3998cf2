"""Changes of a script as a language model gives them: search and replace, each place exactly once, or the whole anew.

Nothing of it is trusted: what comes out has to parse, to keep the parameters in CAPITALS and to write what a training
script has to write. The critic reads it after that.
"""

import ast
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tools.recipes import parameters
from tools.syntax import tree_of

MOST_EDITS = 30
MOST_LETTERS = 200_000
"""Of a script that a model has made."""
GIVEN = frozenset({"TARGET", "CLASSES", "ORDER", "METRIC", "TIME_BUDGET", "SEED"})
"""Parameters that the contract gives: no model changes them."""
MODEL_FILE = "model.joblib"


class Edit(BaseModel):
    """One change of a script."""

    model_config = ConfigDict(extra="ignore")

    search: str = Field(description="lines of the script, letter by letter, long enough to occur exactly once")
    replace: str = Field(description="what stands there instead; empty to delete")


class EditError(ValueError):
    """A change cannot be made; the message says which and why, for whoever wrote it."""


def applied(script: str, edits: Sequence[Edit]) -> str:
    """The script with every edit made, one after the other; raises EditError."""
    if len(edits) > MOST_EDITS:
        raise EditError(f"edits: {len(edits)} are too many, {MOST_EDITS} are the most; give the whole script instead")
    for number, edit in enumerate(edits, start=1):
        places = script.count(edit.search) if edit.search.strip() else 0
        if not edit.search.strip():
            raise EditError(f"edit {number}: search is empty; give the lines that are to be replaced")
        if places != 1:
            there = "does not occur in the script" if places == 0 else f"occurs {places} times"
            raise EditError(f"edit {number}: search {there}; copy lines of the script that occur exactly once")
        script = script.replace(edit.search, edit.replace, 1)
        if len(script) > MOST_LETTERS:
            raise EditError(f"edit {number}: the script grows beyond {MOST_LETTERS:,} letters")
    return script


def objection(before: str, after: str, given: Collection[str] = GIVEN) -> str:
    """Why a changed training script cannot stand, "" when it can: syntax, parameters, what it has to write.

    `given` are the parameters whose values have to stay as they are in `before`.
    """
    if len(after) > MOST_LETTERS:
        return f"the script has {len(after):,} letters; {MOST_LETTERS:,} are the most"
    if after.strip() == before.strip():
        return "the script is the same as before; change what was asked for"
    now, problem = _parameters(after)
    if problem:
        return problem
    had, _ = _parameters(before)
    if gone := [name for name in had if name not in now]:
        return f"the parameter {gone[0]} is gone; parameters in CAPITALS stay on top, each a plain value"
    if changed := [name for name in had if name in given and now[name] != had[name]]:
        return f"the parameter {changed[0]} was changed; it is given by the plan and stays as it is"
    if not writes_the_model(after):
        return f"the script has to save its model as outputs/{MODEL_FILE}"
    return ""


def writes_the_model(script: str) -> bool:
    """Whether any text in it names the file of the model."""
    texts = (node.value for node in ast.walk(tree_of(script)) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and MODEL_FILE in text for text in texts)


def _parameters(script: str) -> tuple[dict[str, Any], str]:
    """The CAPITALS on top and "", or nothing and what is wrong with the syntax."""
    try:
        return parameters(script), ""
    except SyntaxError as error:
        return {}, f"the changed script is no Python: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return {}, f"the changed script cannot be read: {error or type(error).__name__}"
