"""One request to a language model through langchain-openai: its text, its tokens, or a Trouble."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from langsmith import tracing_context
from pydantic import BaseModel, SecretStr

from agents.llm.endpoint import Abilities, Endpoint, Mode
from agents.llm.spending import estimated_tokens
from agents.llm.trouble import Trouble
from prompts.render import render

MOST_LETTERS = 400_000
"""Of one answer; a model that repeats itself for ever is cut off here."""
NO_KEY = SecretStr("none")
"""Servers of one's own ask for no key, the client library insists on one."""


@dataclass(frozen=True)
class Said:
    """What a model answered."""

    text: str
    """The answer, or the arguments of the tool that it called."""
    tokens_in: int
    tokens_out: int
    estimated: bool


def letters_of(messages: Sequence[BaseMessage]) -> int:
    """The length of a question as it is sent, pictures included."""
    return sum(len(message.text) if isinstance(message.content, str) else _length(message) for message in messages)


def _length(message: BaseMessage) -> int:
    return len(json.dumps(message.content, ensure_ascii=False, default=str))


def with_form(messages: Sequence[BaseMessage], mode: Mode, schema: type[BaseModel] | None) -> list[BaseMessage]:
    """The question; where the server does not hold the model to the form, the form is described."""
    if schema is None or mode in ("json_schema", "tool"):
        return list(messages)
    form = json.dumps(schema.model_json_schema(), ensure_ascii=False, separators=(",", ":"))
    return [*messages, SystemMessage(render("answer_form", schema=form))]


async def call(
    endpoint: Endpoint,
    messages: Sequence[BaseMessage],
    mode: Mode,
    schema: type[BaseModel] | None,
    abilities: Abilities,
    client: httpx.AsyncClient,
    on_text: Callable[[str], None] = lambda _: None,
) -> Said:
    """Ask and read the whole stream; the caller keeps the time.

    Raises Trouble for an answer that is cut, empty, endless or a refusal, and the library's own exceptions, which
    `trouble_of` names.
    """
    model = _model(endpoint, abilities, client)
    whole: AIMessageChunk | None = None
    letters = 0
    with tracing_context(enabled=False):  # LangSmith would be told everything where its variables are set
        stream = model.astream(with_form(messages, mode, schema), stream_usage=abilities.usage, **_asked(mode, schema))
        async for chunk in stream:
            assert isinstance(chunk, AIMessageChunk)
            whole = chunk if whole is None else whole + chunk
            letters += len(chunk.text) + sum(len(one["args"] or "") for one in chunk.tool_call_chunks)
            if letters > MOST_LETTERS:
                raise Trouble("too_long", f"{endpoint.name} did not come to an end after {MOST_LETTERS:,} letters.")
            if chunk.text:
                on_text(chunk.text)
    if whole is None:
        raise Trouble("empty", f"{endpoint.name} sent an answer without content.")
    return _said(whole, messages, endpoint)


class _Model(ChatOpenAI):
    """The library drops refusals from a stream; every provider's subclass overrides this method for its own extras."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices") or [{}]
        refusal = (choices[0].get("delta") or {}).get("refusal")
        if made is not None and refusal:
            made.message.additional_kwargs["refusal"] = refusal
        return made


def _model(endpoint: Endpoint, abilities: Abilities, client: httpx.AsyncClient) -> ChatOpenAI:
    """Retries, deadlines and fallbacks are the gateway's; the library does one request."""
    return _Model(
        model=endpoint.model,
        base_url=endpoint.base_url,
        api_key=endpoint.key if endpoint.key.get_secret_value() else NO_KEY,
        temperature=endpoint.temperature if abilities.temperature else None,
        max_retries=0,
        timeout=endpoint.seconds,
        use_responses_api=False,  # servers that only chat answer 404 to the other interface
        http_async_client=client,
        disable_streaming=False,
    )


def _asked(mode: Mode, schema: type[BaseModel] | None) -> dict[str, Any]:
    """The part of the request that asks for the form.

    In `extra_body`, since the library parses what it knows to be a response format and raises in the middle of it.
    """
    if schema is None or mode == "text":
        return {}
    if mode == "json_object":
        return {"extra_body": {"response_format": {"type": "json_object"}}}
    tool = convert_to_openai_tool(schema, strict=True if mode == "json_schema" else None)["function"]
    if mode == "tool":
        chosen = {"type": "function", "function": {"name": tool["name"]}}
        return {"tools": [{"type": "function", "function": tool}], "tool_choice": chosen}
    form = {"name": tool["name"], "schema": tool["parameters"], "strict": True}
    return {"extra_body": {"response_format": {"type": "json_schema", "json_schema": form}}}


def _said(whole: AIMessageChunk, messages: Sequence[BaseMessage], endpoint: Endpoint) -> Said:
    finish = str(whole.response_metadata.get("finish_reason") or "")
    arguments = "".join(one["args"] or "" for one in whole.tool_call_chunks)
    text = arguments or whole.text
    if refusal := whole.additional_kwargs.get("refusal"):
        raise Trouble("refused", f"{endpoint.name} refuses to answer: {' '.join(str(refusal).split())[:200]}")
    if finish == "content_filter":
        raise Trouble("refused", f"{endpoint.name} refuses to answer: its content filter was triggered.")
    if finish == "length":
        raise Trouble("overflow", f"{endpoint.name} ran out of room before its answer was complete.", said=text)
    if not finish:
        raise Trouble("cut", f"The answer of {endpoint.name} broke off.", said=text)
    if not text.strip():
        raise Trouble("empty", f"{endpoint.name} sent an answer without content.")
    usage = whole.usage_metadata
    if usage is None:
        return Said(text, estimated_tokens(letters_of(messages)), estimated_tokens(len(text)), True)
    return Said(text, usage["input_tokens"], usage["output_tokens"], False)
