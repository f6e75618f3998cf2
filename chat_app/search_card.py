"""The improvement search as its card shows it: a tree of scripts, each with what came of it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agents.events import SearchEnded, SearchStep


def with_step(props: Mapping[str, Any], step: SearchStep) -> dict[str, Any]:
    """The card with one node more, or with what a node has become: what is told last of it holds.

    `best` is said when a node is scored; a later best takes it from the earlier one.
    """
    told = {name: value for name, value in asdict(step).items() if name != "attempt"}
    others = [dict(node) for node in props.get("nodes", ()) if node["node"] != step.node]
    if step.best:
        others = [{**node, "best": False} for node in others]
    nodes = sorted([*others, told], key=lambda node: int(node["node"]))
    return {"attempt": step.attempt, "nodes": nodes, "ended": props.get("ended")}


def with_end(ended: SearchEnded) -> dict[str, Any]:
    """How the search ended."""
    return {"attempt": ended.attempt, "ended": {k: v for k, v in asdict(ended).items() if k != "attempt"}}
