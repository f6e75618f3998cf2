"""What the improvement search leaves for the report and for the folder that people take along."""

from typing import Any

from agents.context import Context
from agents.search.journal import Journal
from agents.search.page import report_part
from agents.state import State
from tools.search_page import script_name


def searched(state: State, context: Context) -> dict[str, Any] | None:
    """For report.json; None where there was no search."""
    journal = _journal(state, context)
    return report_part(journal) if journal is not None else None


def scripts_to_take(state: State, context: Context) -> dict[str, str]:
    """The model's scripts by file name, so that one of them can be compared, and run with `--script`."""
    journal = _journal(state, context)
    tried = journal.nodes[1:] if journal is not None else ()
    return {script_name(node.id): context.vault.get_text(node.code_hash) for node in tried}


def _journal(state: State, context: Context) -> Journal | None:
    digest = state.get("search_hash")
    return Journal.model_validate(context.vault.get_json(digest)) if digest else None
