"""The few rows of a table that a language model may be shown in the egress mode “sample”; nothing in any other mode."""

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

from agents.context import Context
from agents.llm.egress import SAMPLE_ROWS
from agents.state import State
from tools.ingest import Dataset
from tools.seal import Sealed

Rows = tuple[Mapping[str, Any], ...]


def rows_to_show(state: State, context: Context) -> Rows:
    """The first rows, as they are: `agents.llm.egress.shown` masks them.

    Once rows are sealed, they come from those to learn from: a model that writes scripts never sees a sealed one.
    """
    if context.models.egress != "sample":
        return ()
    if sealed := state.get("seal_hash"):
        with pq.ParquetFile(Sealed.from_json(context.vault.get_json(sealed)).own.train) as table:
            batch = next(table.iter_batches(batch_size=SAMPLE_ROWS), None)
        return tuple(batch.to_pylist()) if batch is not None else ()
    read = state.get("dataset_hash")
    return tuple(Dataset.from_json(context.vault.get_json(read)).head(SAMPLE_ROWS)) if read else ()
