"""What can go wrong with a language model: a closed set of outcomes, each with a sentence for the user."""

import asyncio
import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any, Literal

import httpx
import openai
from langchain_core.exceptions import ContextOverflowError

TroubleKind = Literal[
    "off",
    "circuit_open",
    "no_budget",
    "timeout",
    "unreachable",
    "unauthorised",
    "forbidden",
    "not_found",
    "rate_limited",
    "overflow",
    "rejected",
    "server",
    "no_model_server",
    "cut",
    "too_long",
    "empty",
    "refused",
    "invalid",
]
PASSING: frozenset[TroubleKind] = frozenset({"timeout", "unreachable", "rate_limited", "server", "cut", "empty"})
"""May be gone a moment later: these are tried again."""
SICK: frozenset[TroubleKind] = frozenset(
    {"timeout", "unreachable", "unauthorised", "forbidden", "not_found", "server", "no_model_server"}
)
"""Say something of the endpoint and not of the question: they open its circuit."""
_AGAIN = "Say the same again to try it once more, or choose another model in the settings"
_SETTINGS = "Correct {what} in the settings, or choose another model there"
_REMEDIES: Mapping[TroubleKind, str] = {
    "timeout": f"{_AGAIN}; its deadline is a setting too",
    "unreachable": f"Start its server, or correct its address in the settings. {_AGAIN}",
    "unauthorised": _SETTINGS.format(what="its key"),
    "forbidden": _SETTINGS.format(what="its key"),
    "not_found": _SETTINGS.format(what="the name of the model or its address"),
    "no_model_server": _SETTINGS.format(what="its address"),
    "overflow": "Choose a model that can read more in the settings (the size of its context is one), or ask about less",
    "no_budget": "Allow the models more in the settings",
    "circuit_open": "It is tried again by itself after a rest; or choose another model in the settings",
    "rejected": "Choose another model in the settings; `modelwright doctor` says what this one takes",
    "refused": "Say it in other words, or choose another model in the settings",
    "off": "Name a model in the settings",
}
_SAYS = ("message", "detail", "error", "msg")
"""Where servers put what went wrong: OpenAI and vLLM, FastAPI, LM Studio, Mistral."""
_LENGTH = ("context length", "context_length", "maximum context", "too many tokens", "context size", "context window")
LEAST_KEY = 8
"""Letters of a key that is looked for in what servers say; servers of one's own take any word for one."""
MOST_SHOWN = 200
"""Letters of what a server says that are shown to the user."""


class Trouble(Exception):  # noqa: N818 - an outcome with a name, most of the time no error of ours
    """One call came to nothing."""

    def __init__(
        self, kind: TroubleKind, sentence: str, *, retry_after: float | None = None, said: str = "", status: int = 0
    ) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.retry_after = retry_after
        """Seconds that the server asked to wait."""
        self.said = said
        """What the model answered, where it did: for a repair."""
        self.status = status
        """HTTP status; 0 without one."""

    def without(self, key: str) -> "Trouble":
        """The same where a server's words hold the key that it was sent; what is as short as a word is left."""
        if len(key) < LEAST_KEY or key[:LEAST_KEY] not in f"{self.sentence}{self.said}":
            return self
        begun = [key, *(f"{key[:letters]}…" for letters in range(len(key) - 1, LEAST_KEY - 1, -1))]  # where it was cut
        sentence, said = self.sentence, self.said
        for part in begun:
            sentence, said = sentence.replace(part, "(the key)"), said.replace(part, "(the key)")
        return Trouble(self.kind, sentence, retry_after=self.retry_after, said=said, status=self.status)


def trouble_of(error: BaseException, name: str) -> Trouble | None:
    """The outcome behind an exception of the client library; None: it is no trouble of a model but a defect of ours.

    `name` is the endpoint as people know it.
    """
    match error:
        case Trouble():
            return error
        case ContextOverflowError():
            return Trouble("overflow", f"The question is longer than {name} can read.")
        case openai.APITimeoutError() | TimeoutError() | httpx.TimeoutException():
            return Trouble("timeout", f"{name} did not answer in time.")
        case openai.APIConnectionError() | httpx.TransportError():
            return Trouble("unreachable", f"{name} cannot be reached; is its server running, is the address right?")
        case openai.APIStatusError():
            return _by_status(error, name)
        case openai.APIError():  # an error that came in the middle of a stream
            return Trouble("server", f"{name} broke off with an error: {_shown(error.message)}")
        case json.JSONDecodeError() | UnicodeDecodeError():
            return Trouble("no_model_server", f"What answers as {name} does not speak the chat protocol.")
        case IndexError() | ValueError() | KeyError() | TypeError() | AttributeError():
            # langchain-openai meets answers without choices, or of another form, with bare exceptions
            return Trouble("empty", f"{name} sent an answer without content.")
        case asyncio.CancelledError():
            return None
    return None


def _by_status(error: openai.APIStatusError, name: str) -> Trouble:
    status, said = error.status_code, _message(error)
    waits = _retry_after(error.response.headers)
    if _is_page(error):
        return Trouble(
            "server" if status >= 500 else "no_model_server",
            f"What answers as {name} sent a web page (status {status}) and no answer of a model.",
            retry_after=waits,
            status=status,
        )
    match status:
        case 401:
            return Trouble("unauthorised", f"{name} does not accept the key; check it in the settings.", status=status)
        case 403:
            return Trouble("forbidden", f"The key may not use {name}: {said}", status=status)
        case 404:
            return Trouble("not_found", f"{name}: the server does not know this model or address ({said}).", status=404)
        case 402:
            return Trouble("forbidden", f"The account behind {name} has no credit left: {said}", status=status)
        case 429 if "insufficient_quota" in str(error.body):  # OpenAI's: waiting does not help
            return Trouble("forbidden", f"The account behind {name} has no credit left: {said}", status=status)
        case 429 | 529:
            return Trouble(
                "rate_limited", f"{name} is busy and asked us to wait.", retry_after=waits, status=status, said=said
            )
        case _ if status == 413 or _speaks_of_length(said):
            return Trouble("overflow", f"The question is longer than {name} can read.", status=status)
        case _ if status < 500 and status != 408:
            return Trouble("rejected", f"{name} rejects the request: {said}", status=status, said=said)
    return Trouble("server", f"{name} has an error of its own (status {status}).", retry_after=waits, status=status)


def _message(error: openai.APIStatusError) -> str:
    body: Any = error.body
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        found = inner if not isinstance(inner, Mapping) else next((inner[key] for key in _SAYS if inner.get(key)), "")
        return _shown(str(found or body))
    return _shown(str(body or error.message))


def _shown(text: str) -> str:
    """In one line, and not all of it."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"


def _is_page(error: openai.APIStatusError) -> bool:
    if "html" in error.response.headers.get("content-type", ""):
        return True
    return str(error.body or "").lstrip()[:15].lower().startswith(("<!doctype", "<html"))


def _speaks_of_length(said: str) -> bool:
    text = said.lower()
    return any(words in text for words in _LENGTH)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, given as a number or as a date (RFC 9110, 10.2.3), and OpenAI's own in milliseconds."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name, "")
        try:
            return max(0.0, float(given) * unit)
        except ValueError:
            pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def remedy(kind: str) -> str:
    """What the user can do after a trouble of this kind, in a sentence; to go on without the model is always possible.

    A kind that only a newer version knows is answered in general.
    """
    given = {str(known): words for known, words in _REMEDIES.items()}.get(kind, _AGAIN)
    return f"{given}. Without it the built-in experts decide."
