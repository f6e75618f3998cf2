"""What language models are asked in a whole run: calls and input tokens, from the sentence to the report.

    python -m benchmarks.model_tokens [--tables iris breast_cancer diabetes wide] [--budget 15] [--readme]

The model is a server on loopback that answers each mind sensibly at once; what is counted is all that leaves for it,
the form of the answer included. Tokens are reckoned as the product reckons them before a call: a letter is a third of
one, which is more than real ones are. Gates are approved as they come. Exits with 1 when a run needs more than it may.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.events import Failed, TurnEnded, WaitingConfirmation
from agents.llm.endpoint import Endpoint
from agents.llm.spending import estimated_tokens
from agents.state import Decision
from benchmarks.readme import put_into_readme
from chat_app.conductor import Conductor, Policy, open_conductor
from chat_app.settings import Settings
from tests.openai_server import Asked, ModelServer, answers, fails, form_of, serving

RESULTS = Path(__file__).parent / "results"
MOST_CALLS, MOST_TOKENS = 5, 12_000
"""Of a run that goes well."""
SENTENCES = {
    "iris": "classify species",
    "breast_cancer": "predict diagnosis",
    "diabetes": "predict progression",
    "wide": "predict outcome",
}
MINDS = {"Advice": "plan", "ResultRead": "verdict", "Words": "report"}
"""Form of the answer -> what it is for; any other is shown by its own name."""


@dataclass(frozen=True)
class Spent:
    """One run."""

    table: str
    columns: int
    calls: int
    tokens: int
    by_mind: Mapping[str, int]
    """Input tokens."""


def wide(path: Path, columns: int = 400, rows: int = 300) -> Path:
    """A table with more columns than a model is told of, with names as long as names are."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, columns)).round(3))
    frame.columns = pd.Index([f"measurement_of_sensor_{number:03d}" for number in range(columns)])
    frame["outcome"] = np.where(frame.iloc[:, 0] + random.normal(size=rows) > 0, "yes", "no")
    frame.to_csv(path, index=False)
    return path


def answer_to(asked: Asked) -> dict[str, Any] | None:
    """What a good model could say; None where we know of none."""
    match form_of(asked):
        case "Advice":
            return {"compute": [], "doubt": [], "split": None, "metric": None}
        case "ResultRead" | "CodeRead":
            return {"remarks": []}
        case "Words":
            facts = next(line for line in asked["messages"][0]["content"].splitlines() if '"comparison"' in line)
            said = ["It reaches {score} ({score_low} to {score_high}).", "The baseline reaches {baseline}."]
            return {"comparison": json.loads(facts)["comparison"], "sentences": said}
    return None


async def behave(asked: Asked) -> Any:
    """Answers what is known, refuses the rest."""
    known = answer_to(asked)
    return await (answers(known) if known is not None else fails(503, "not in this benchmark"))(asked)


async def measure(conductor: Conductor, server: ModelServer, table: str, source: Path | str) -> Spent:
    """One run, all gates approved. Raises RuntimeError when it does not end well."""
    server.plays(behave)
    server.heard.clear()
    project = await conductor.new_project(policy=Policy(contract=True, code=True))
    reply = await conductor.start(project, SENTENCES[table], [source])
    if not reply.accepted:
        raise RuntimeError(reply.sentence)
    columns = 0
    async for envelope in conductor.subscribe(project):
        match envelope.event:
            case WaitingConfirmation() as waiting:
                await conductor.wait(project)
                columns = len(waiting.payload.get("contract", {}).get("columns", ())) or columns
                await conductor.decide(project, waiting.interrupt_id, Decision(action="approve"))
            case Failed() as failed:
                raise RuntimeError(f"The run over {table} failed: {failed.sentence}")
            case TurnEnded():
                break
    tokens: dict[str, int] = {}
    for asked, heard in zip(server.asked, server.heard, strict=True):
        name = form_of(asked)
        mind = MINDS.get(name, name or "words")
        tokens[mind] = tokens.get(mind, 0) + estimated_tokens(len(heard.decode()))
    return Spent(table, columns, len(server.asked), sum(tokens.values()), tokens)


async def measure_all(tables: list[str], budget: float) -> list[Spent]:
    """Every table in a home of its own."""
    found = []
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(base_url=server.url, model="m", seconds=60.0)
        home = Settings(home=Path(folder) / "home", reasoning=endpoint, budget_seconds=budget)
        async with open_conductor(home) as conductor:
            await conductor.sandbox.warm()
            for table in tables:
                source = wide(Path(folder) / "wide.csv") if table == "wide" else table
                found.append(await measure(conductor, server, table, source))
                print(found[-1], flush=True)
    return found


def markdown(found: list[Spent]) -> str:
    """The table of the README."""
    minds = list(dict.fromkeys(mind for one in found for mind in one.by_mind))
    lines = [
        f"| table | columns | calls | input tokens | {' | '.join(f'of it {mind}' for mind in minds)} |",
        f"|---|---:|---:|---:|{'---:|' * len(minds)}",
    ]
    for one in found:
        shares = " | ".join(f"{one.by_mind.get(mind, 0):,}" for mind in minds)
        lines.append(f"| {one.table} | {one.columns} | {one.calls} | {one.tokens:,} | {shares} |")
    most = f"at most {MOST_CALLS} calls and {MOST_TOKENS:,} tokens are allowed"
    return "\n".join([*lines, "", f"`python -m benchmarks.model_tokens`: tokens reckoned too high on purpose; {most}."])


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tables", nargs="+", default=list(SENTENCES), choices=list(SENTENCES))
    options.add_argument("--budget", type=float, default=15.0, help="seconds for each run")
    options.add_argument("--readme", action="store_true", help="put the table into the README")
    given = options.parse_args()
    found = asyncio.run(measure_all(given.tables, given.budget))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "model_tokens.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    text = markdown(found)
    print(text)
    if given.readme:
        put_into_readme("model_tokens", text)
    if any(one.calls > MOST_CALLS or one.tokens > MOST_TOKENS for one in found):
        sys.exit("A run needs more than it may.")


if __name__ == "__main__":
    main()
