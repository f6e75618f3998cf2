"""Spans of a turn, its nodes, its calls of models and its runs in the sandbox, for whoever operates Modelwright.

Off unless a door hands in a tracer. A span holds names that we gave, numbers and outcomes: no value of a cell, no name
of a column, no sentence of the user, no path, no key, and of an error only its type. What was said to a model and what
it answered is added only where `content` is on, and then it is what the egress mode has let through to the model.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from langchain_core.messages import BaseMessage
from langgraph.errors import GraphBubbleUp
from opentelemetry.trace import NoOpTracer, Span, StatusCode, Tracer

from agents.llm.endpoint import Endpoint
from agents.llm.spending import Call
from prompts.render import origin

Fact = str | bool | int | float
MOST_CONTENT = 100_000
"""Letters of a question or an answer that a span takes along."""


def _nowhere(error: BaseException) -> None:
    """Errors are told to nobody."""


@dataclass(frozen=True)
class Tracing:
    """Where spans and errors go; as it is made by default, nowhere."""

    tracer: Tracer = field(default_factory=NoOpTracer)
    report: Callable[[BaseException], None] = _nowhere
    """Told of every error that is a fault of the product or of the sandbox."""
    content: bool = False
    """Whether the words of questions and answers go along."""

    @contextmanager
    def span(self, name: str, facts: Mapping[str, Fact]) -> Iterator[Span]:
        """Around a piece of work; an exception ends it as an error of which only the type is kept."""
        with self.tracer.start_as_current_span(
            name, attributes=dict(facts), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except GraphBubbleUp:  # the node waits for a person
                raise
            except Exception as error:
                failed(span, type(error).__name__)
                raise


def failed(span: Span, kind: str) -> None:
    """The work came to nothing; `kind` is a word of ours."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def trace_call(
    tracing: Tracing, call: Call, endpoint: Endpoint, asked: Sequence[BaseMessage], decision: str, answer: str
) -> None:
    """One finished request to a model as a span, in the words of OpenTelemetry's GenAI conventions and of Langfuse.

    `decision` is the name of the schema that was asked for, "" for a text.
    """
    if isinstance(tracing.tracer, NoOpTracer):
        return
    facts = {**_facts(call, endpoint, decision), **_prompt(asked), **_figures(call)}
    if tracing.content:
        facts["langfuse.observation.input"] = _words(asked)
        facts["langfuse.observation.output"] = answer[:MOST_CONTENT]
    end = time.time_ns()
    span = tracing.tracer.start_span(
        f"model {call.role}", attributes=facts, start_time=end - int(call.seconds * 1e9), record_exception=False
    )
    if call.outcome != "ok":
        failed(span, call.outcome)
    span.end(end)


def _facts(call: Call, endpoint: Endpoint, decision: str) -> dict[str, Fact]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": endpoint.model,
        "modelwright.role": call.role,
        "modelwright.mode": call.mode,
        "modelwright.outcome": call.outcome,
        "modelwright.decision": decision or "text",
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": endpoint.model,
        "langfuse.observation.level": "DEFAULT" if call.outcome == "ok" else "ERROR",
        "langfuse.observation.status_message": call.outcome,
        "langfuse.observation.metadata.role": call.role,
        "langfuse.observation.metadata.mode": call.mode,
        "langfuse.observation.metadata.decision": decision or "text",
    }


def _prompt(asked: Sequence[BaseMessage]) -> dict[str, Fact]:
    """Which text of prompts/ the question was made from, and in which version."""
    found = next((found for message in asked if (found := origin(message.text))), None)
    if found is None:
        return {}
    name, version = found
    return {
        "modelwright.prompt": name,
        "modelwright.prompt_version": version,
        "langfuse.version": f"{name}@{version}",
        "langfuse.observation.metadata.prompt": name,
        "langfuse.observation.metadata.prompt_version": version,
    }


def _figures(call: Call) -> dict[str, Fact]:
    return {
        "gen_ai.usage.input_tokens": call.tokens_in,
        "gen_ai.usage.output_tokens": call.tokens_out,
        "modelwright.cost": call.cost,
        "modelwright.estimated": call.estimated,
        "modelwright.bytes_out": call.bytes_out,
        "langfuse.observation.usage_details": json.dumps({"input": call.tokens_in, "output": call.tokens_out}),
        "langfuse.observation.cost_details": json.dumps({"total": call.cost}),
    }


def _words(asked: Sequence[BaseMessage]) -> str:
    """As a chat; a picture is named and not sent."""
    chat = [{"role": message.type, "content": message.text or "(no words)"} for message in asked]
    return json.dumps(chat, ensure_ascii=False)[:MOST_CONTENT]
