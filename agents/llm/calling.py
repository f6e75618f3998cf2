"""One request to a language model through langchain-openai: its text, its tokens, or a Trouble."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from langsmith import tracing_context
from pydantic import BaseModel, SecretStr

from agents.llm.endpoint import DESCRIBED, Abilities, Endpoint, Mode
from agents.llm.spending import estimated_tokens
from agents.llm.trouble import Trouble
from prompts.render import render

MOST_LETTERS = 400_000
"""Of one answer; a model that repeats itself for ever is cut off here."""
PICTURE_LETTERS = 4800
"""About 1,600 tokens at three letters each: what a picture of 1568 pixels costs where prices are public."""
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


@dataclass
class Traffic:
    """What one call was seen to send and to get."""

    bytes_out: int = 0
    """Of the bodies."""
    content_type: str = ""
    """Of the last answer."""


_traffic: ContextVar[Traffic] = ContextVar("traffic")


@contextmanager
def measured() -> Iterator[Traffic]:
    """Around one call."""
    found = Traffic()
    token = _traffic.set(found)
    try:
        yield found
    finally:
        _traffic.reset(token)


_ACCOUNT = ("OpenAI-Organization", "OpenAI-Project")
"""Headers that OpenAI's library takes from the environment, whoever the server is."""


def new_client() -> httpx.AsyncClient:
    """Connections that measure, and tell no server about an account elsewhere."""

    async def sent(request: httpx.Request) -> None:
        for name in _ACCOUNT:
            request.headers.pop(name, None)
        if (traffic := _traffic.get(None)) is not None:
            traffic.bytes_out += len(request.content)

    async def came(response: httpx.Response) -> None:
        if (traffic := _traffic.get(None)) is not None:
            traffic.content_type = response.headers.get("content-type", "")

    return httpx.AsyncClient(event_hooks={"request": [sent], "response": [came]})


def letters_of(messages: Sequence[BaseMessage]) -> int:
    """The length of a question, for an estimate of its tokens; a picture counts as what it usually costs."""
    return sum(len(message.text) if isinstance(message.content, str) else _length(message) for message in messages)


def _length(message: BaseMessage) -> int:
    """Of the parts of a message; models see a picture in tiles, whatever its bytes are."""
    pictures = [part for part in message.content if isinstance(part, dict) and "image" in str(part.get("type", ""))]
    rest = [part for part in message.content if part not in pictures]
    return len(json.dumps(rest, ensure_ascii=False, default=str)) + PICTURE_LETTERS * len(pictures)


def question(
    messages: Sequence[BaseMessage], mode: Mode, schema: type[BaseModel] | None, system: bool = True
) -> list[BaseMessage]:
    """The messages as every server takes them; where it does not hold the model to the form, the form is described.

    Mistral's templates and others want one system message at most, at the front, and the user's turn after it; Gemma's
    know no system message at all (`system`: whether there may be one).
    """
    rules = [message.text for message in messages if isinstance(message, SystemMessage)]
    turns = [message for message in messages if not isinstance(message, SystemMessage)]
    if not turns or not system:
        said = HumanMessage("\n\n".join(rules))
        rules, turns = [], [said, *turns] if not turns or not rules else [_joined(said, turns[0]), *turns[1:]]
    if schema is not None and mode in DESCRIBED:
        form = json.dumps(schema.model_json_schema(), ensure_ascii=False, separators=(",", ":"))
        turns = [*turns[:-1], _joined(turns[-1], HumanMessage(render("answer_form", schema=form)))]
    return [*([SystemMessage("\n\n".join(rules))] if rules else []), *turns]


def _joined(first: BaseMessage, second: BaseMessage) -> BaseMessage:
    """One turn of two, pictures included."""
    if isinstance(first.content, str) and isinstance(second.content, str):
        return HumanMessage(f"{first.content}\n\n{second.content}")
    return HumanMessage(content=[*_parts(first), *_parts(second)])


def _parts(message: BaseMessage) -> list[str | dict[str, Any]]:
    return [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content


async def call(
    endpoint: Endpoint,
    messages: Sequence[BaseMessage],
    mode: Mode,
    schema: type[BaseModel] | None,
    abilities: Abilities,
    client: httpx.AsyncClient,
    on_text: Callable[[str], None] = lambda _: None,
    deadline: float = math.inf,
) -> Said:
    """Ask and read the whole stream; the caller keeps the time, and `deadline` (monotonic clock) is looked at as well.

    Raises TimeoutError, Trouble for an answer that is cut, empty, endless or a refusal, and the library's own
    exceptions, which `trouble_of` names.
    """
    model = _model(endpoint, abilities, client)
    asked = question(messages, mode, schema, abilities.system)
    heard = _Heard(endpoint)
    with tracing_context(enabled=False):  # LangSmith would be told everything where its variables are set
        stream = model.astream(asked, stream_usage=abilities.usage, **_asked(mode, schema))
        try:
            async for chunk in stream:
                assert isinstance(chunk, AIMessageChunk)
                heard.add(chunk)
                if chunk.text:
                    on_text(chunk.text)
                if time.monotonic() > deadline:  # a timeout that cancels is lost when a read's own ends at that moment
                    raise TimeoutError
        except json.JSONDecodeError:
            raise
        except ValueError as error:  # the library's word for a stream without anything in it
            raise heard.nothing() from error
    return heard.said(asked)


@dataclass
class _Heard:
    """An answer while it comes."""

    endpoint: Endpoint
    text: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    """Of the tool that was called."""
    finish: str = ""
    refusal: str = ""
    usage: UsageMetadata | None = None
    letters: int = 0

    def add(self, chunk: AIMessageChunk) -> None:
        """One more piece. Raises Trouble when there were enough."""
        arguments = [one["args"] or "" for one in chunk.tool_call_chunks]
        self.text.append(chunk.text)
        self.arguments.extend(arguments)
        self.finish = str(chunk.response_metadata.get("finish_reason") or self.finish)
        self.refusal += str(chunk.additional_kwargs.get("refusal") or "")
        self.usage = chunk.usage_metadata or self.usage
        self.letters += len(chunk.text) + sum(len(one) for one in arguments)
        if self.letters > MOST_LETTERS:
            sentence = f"{self.endpoint.name} did not come to an end after {MOST_LETTERS:,} letters."
            raise Trouble("too_long", sentence, said=self.whole)

    @property
    def whole(self) -> str:
        return "".join(self.arguments) or "".join(self.text)

    def nothing(self) -> Trouble:
        """Something else than a model, or a model that says nothing."""
        kind = _traffic.get(Traffic()).content_type
        if kind and "event-stream" not in kind:
            sentence = f"What answers as {self.endpoint.name} does not speak the chat protocol."
            return Trouble("no_model_server", sentence)
        return Trouble("empty", f"{self.endpoint.name} sent an answer without content.")

    def said(self, asked: Sequence[BaseMessage]) -> Said:
        """The answer at its end. Raises Trouble where it is none."""
        name, text = self.endpoint.name, self.whole
        if self.refusal:
            raise Trouble("refused", f"{name} refuses to answer: {' '.join(self.refusal.split())[:200]}")
        if self.finish == "content_filter":
            raise Trouble("refused", f"{name} refuses to answer: its content filter was triggered.")
        if self.finish == "length":
            raise Trouble("overflow", f"{name} ran out of room before its answer was complete.", said=text)
        if not self.finish:
            raise Trouble("cut", f"The answer of {name} broke off.", said=text)
        if not text.strip():
            raise self.nothing()
        if self.usage is None:
            return Said(text, estimated_tokens(letters_of(asked)), estimated_tokens(len(text)), True)
        return Said(text, self.usage["input_tokens"], self.usage["output_tokens"], False)


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
        stream_chunk_timeout=None,  # it waits with asyncio.wait_for, which loses our cancellation before Python 3.12
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
    if mode == "json_schema":
        tool = _without_defaults(tool)
    if mode == "tool":
        chosen = {"type": "function", "function": {"name": tool["name"]}}
        return {"tools": [{"type": "function", "function": tool}], "tool_choice": chosen}
    form = {"name": tool["name"], "schema": tool["parameters"], "strict": True}
    return {"extra_body": {"response_format": {"type": "json_schema", "json_schema": form}}}


def _without_defaults(part: Any) -> Any:
    """OpenAI's strict mode takes no schema with defaults; `properties` may name a field so."""
    if isinstance(part, list):
        return [_without_defaults(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: one for key, one in part.items() if key != "default" or isinstance(one, dict)}
    return {key: _without_defaults(one) for key, one in kept.items()}
