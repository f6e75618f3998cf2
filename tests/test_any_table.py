"""Any table that pandas can make ends in a result or in a clear sentence; never in an error of ours.

Here up to the text of the training script, in this process; to the very end in tests/test_any_table_run.py.
"""

import ast
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from agents import data_scientist, parser
from agents.code_generator import write as script_for
from agents.planning.blueprints import attached, choose, with_defaults
from agents.state import Question, Request
from tests.any_tables import ENCODINGS, FORMATS, AnyTable, learnable, tables, write
from tests.clear_sentence import assert_clear
from tools.blueprints.shelf import shelf
from tools.charts import target_distribution
from tools.contract import ContractError
from tools.ingest import Dataset, IngestError, ingest
from tools.profile import Profile, profile
from tools.recipes import audit_for, baseline_for, learning_for, predictor_for, worker_for
from tools.schema import schema_of
from tools.seal import SealError, seal

CHEAP = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)
SEALED = "sealed"


def way(path: Path, target: int, folder: Path) -> str:
    """From a file to the training script; SEALED, or the sentence at which it ends."""
    try:
        dataset = ingest(path, folder / "dataset")
        found = profile(dataset)
        stored(found.model_dump(mode="json"))
        name = dataset.names[target % len(dataset.names)]
        assert_parsed(found, name)
        return planned(dataset, found, Request(kind="model", text=f"predict {name}", target=name), folder)
    except (IngestError, ContractError, SealError) as error:
        return str(error)


def stored(value: Any) -> None:
    """As the vault and the event log keep it, and as a browser can read it."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def assert_parsed(found: Profile, name: str) -> None:
    """Whatever the columns are called, a sentence about one is a request or a question."""
    for text in (f"predict {name}", f'predict "{name}" without "{name}"', "what drives it?", "predict"):
        understood = parser.parse(text, schema_of(found))
        if isinstance(understood, Question):
            assert understood.text.strip()
            assert set(understood.choices) <= set(found.names)
        else:
            assert understood.target is None or understood.target in found.names


def planned(dataset: Dataset, found: Profile, request: Request, folder: Path) -> str:
    """Contract, seal and script, as the nodes of the graph make them."""
    matched, _ = choose(request, found, shelf())
    request = with_defaults(request, matched, found)
    contract = data_scientist.propose(request, found, budget_seconds=30, seed=0)
    contract = attached(contract, matched, request, found, dataset.path, None)
    assert not data_scientist.problems(contract, found)
    stored(contract.model_dump(mode="json"))
    stored(target_distribution(found.column(contract.target), contract).spec)
    sealed = seal(dataset, contract, folder / "sealed")
    assert sealed.rows_train + sealed.rows_holdout + sealed.dropped == dataset.rows
    assert sealed.rows_holdout == pq.read_metadata(sealed.holdout_features).num_rows
    programs = [predictor_for(contract), worker_for(contract), baseline_for(contract)]
    programs += [audit_for(contract, seconds=3), learning_for(contract, seconds=3), script_for(contract).code]
    for program in programs:
        compile(ast.parse(program), "program", "exec")
    return SEALED


def check(table: AnyTable, kind: str, encoding: str) -> str:
    """One example; how it ended."""
    with tempfile.TemporaryDirectory() as place:
        path = write(table, kind, Path(place), encoding)
        if path is None:
            return "pandas cannot write it"
        ended = way(path, table.target, Path(place))
    if ended != SEALED:
        assert_clear(ended)
    return ended


@CHEAP
@given(tables(), st.sampled_from(FORMATS), st.sampled_from(ENCODINGS))
def test_any_table_ends_in_a_script_or_in_a_clear_sentence(table: AnyTable, kind: str, encoding: str) -> None:
    event(" ".join(check(table, kind, encoding).split()[:3]))


@settings(CHEAP, max_examples=20)
@given(learnable(), st.sampled_from(FORMATS))
def test_any_columns_beside_a_sound_target_end_in_a_script(table: AnyTable, kind: str) -> None:
    """Columns of any kind may be of no use, but they must not be in the way."""
    ended = check(table, kind, "utf-8")
    event(" ".join(ended.split()[:3]))
    assert ended in (SEALED, "pandas cannot write it")
