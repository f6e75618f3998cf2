"""The graph: a supervisor and its agents. Every agent reports to the supervisor, which alone decides who is next."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.context import Context
from agents.data_scientist import ContractError
from agents.nodes.analyst import analyst
from agents.nodes.code_generator import code_generator
from agents.nodes.critic import critic
from agents.nodes.data_scientist import data_scientist
from agents.nodes.human import human
from agents.nodes.parser import parser
from agents.nodes.planner import planner
from agents.nodes.reporter import reporter
from agents.nodes.runner import runner
from agents.plan import MOST_STEPS
from agents.state import Culprit, Failure, Stage, State
from agents.supervisor import next_agent
from sandbox.base import SandboxError
from tools.export import ExportError
from tools.ingest import IngestError
from tools.predictions import PredictionsRefused
from tools.seal import SealError

RECURSION_LIMIT = 120 * MOST_STEPS
"""Each agent costs two steps (agent and supervisor); a request with every retry stays below a third of 120."""

Node = Callable[[State, RunnableConfig, Runtime[Context]], Awaitable[dict[str, Any]]]
Reply = Command[Literal["supervisor"]]
Graph = CompiledStateGraph[State, Context, State, State]

_NODES: dict[str, tuple[Node, Stage]] = {
    "planner": (planner, "PARSE_INTENT"),
    "parser": (parser, "PARSE_INTENT"),
    "data_scientist": (data_scientist, "PREPROCESS"),
    "code_generator": (code_generator, "TRAIN"),
    "analyst": (analyst, "PARSE_INTENT"),
    "critic": (critic, "TRAIN"),
    "human": (human, "REVIEW_EDIT"),
    "runner": (runner, "TRAIN"),
    "reporter": (reporter, "EXPORT"),
}


def supervisor(state: State) -> Command[Any]:
    """Send the state to whoever is next."""
    return Command(goto=next_agent(state) or END)


def build_graph(checkpointer: BaseCheckpointSaver[Any] | None = None) -> Graph:
    """Compile; the checkpointer makes turns survive a crash and lets them stop at a gate."""
    builder = StateGraph(State, context_schema=Context)
    builder.add_node("supervisor", supervisor, destinations=(*_NODES, END))
    for name, (node, stage) in _NODES.items():
        builder.add_node(name, _reporting_back(name, node, stage), destinations=("supervisor",))
    builder.add_edge(START, "supervisor")
    return builder.compile(checkpointer=checkpointer)


def _reporting_back(name: str, node: Node, stage: Stage) -> Callable[..., Awaitable[Reply]]:
    """Known troubles become a `Failure` in the state, so that the reporter can say them; others rise to the door."""

    async def step(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> Reply:
        began, waited = time.monotonic(), runtime.context.spending.seconds
        try:
            with runtime.context.tracing.span(f"node {name}", {"modelwright.node": name}):
                update = await node(state, config, runtime)
        except (IngestError, ContractError, SealError) as error:
            update = {"failure": _failure(_stage_of(error, stage), "user", str(error))}
        except PredictionsRefused as error:
            update = {"failure": _failure("TRAIN", "script", str(error))}
        except ExportError as error:
            runtime.context.tracing.report(error)
            update = {"failure": _failure("EXPORT", "product", str(error))}
        except SandboxError as error:
            runtime.context.tracing.report(error)
            update = {"failure": _failure("TRAIN", "sandbox", str(error))}
        waited = runtime.context.spending.seconds - waited  # a slow model takes no time from training and audit
        spent = 0.0 if node is human else max(0.0, time.monotonic() - began - waited)
        before = update.get("spent", state.get("spent", 0.0))  # the next request of a plan has its own time
        return Command(goto="supervisor", update={**update, "spent": before + spent})

    return step


def _stage_of(error: Exception, stage: Stage) -> Stage:
    return "DATA_SOURCE" if isinstance(error, IngestError) else stage


def _failure(stage: Stage, culprit: Culprit, sentence: str) -> Failure:
    return Failure(stage=stage, culprit=culprit, sentence=sentence, advice="")
