"""The gateway: the only way by which agents ask a language model, and get a checked value or a typed refusal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import httpx
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from agents.llm.breaker import Breaker
from agents.llm.calling import Said, Traffic, call, letters_of, measured, new_client, question
from agents.llm.egress import NOTHING, Egress, Shown
from agents.llm.endpoint import DESCRIBED, MODES, Abilities, Endpoint, Memory, Mode, Role
from agents.llm.salvage import NO_OBJECT, NoValue, value_in
from agents.llm.spending import Call, Spending, estimated_tokens
from agents.llm.trouble import PASSING, SICK, Trouble, TroubleKind, trouble_of
from agents.tracing import Tracing, trace_call
from prompts.render import render

T = TypeVar("T", bound=BaseModel)
Told = Callable[[Call], Awaitable[None]]
ATTEMPTS = 3
"""Of one request; what is spent on retries in all is the run's (`Allowance.retries`)."""
_MODE_REFUSED = frozenset({400, 405, 415, 422})
"""Statuses with which servers answer to a form that they do not know."""
_OPTIONS = {"temperature": "temperature", "usage": "stream_options", "system": "system role"}
"""Field of `Abilities`, and its name in a request or in a server's complaint."""
_ANSWERING: frozenset[TroubleKind] = frozenset({"timeout", "cut", "too_long", "empty", "refused", "overflow", "server"})
"""Without an HTTP status: the server had taken the question, so it is taken as paid."""


@dataclass(frozen=True)
class Decision(Generic[T]):
    """A value that fits its schema and the facts, or the reason why there is none; never both."""

    value: T | None
    trouble: Trouble | None = None
    endpoint: str = ""
    """Who answered; "" when nobody did."""


@dataclass
class Models:
    """The configured endpoints of each role, the first one asked first. One for the whole process; close it."""

    roles: Mapping[Role, Sequence[Endpoint]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    egress: Egress = "schema"
    """What of a table may leave; whoever tells a model of one asks `egress.shown` with it."""
    new_breaker: Callable[[], Breaker] = Breaker
    backoff: float = 0.4
    """Seconds before the first retry, at most; doubled each time."""
    tracing: Tracing = field(default_factory=Tracing)
    _breakers: dict[str, Breaker] = field(default_factory=dict, init=False)
    _client: httpx.AsyncClient | None = field(default=None, init=False)

    def has(self, role: Role) -> bool:
        """Whether anybody can be asked."""
        return bool(self.roles.get(role))

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def decide(
        self,
        role: Role,
        messages: Sequence[BaseMessage],
        schema: type[T],
        spending: Spending,
        *,
        check: Callable[[T], str] = lambda _: "",
        tell: Told | None = None,
        about: Shown = NOTHING,
    ) -> Decision[T]:
        """Ask for a value. `check` holds it against the facts and says what is wrong with it, "" when nothing is.

        `about`: what of a table is in the messages, for the meter.
        Never raises for what a model or a server does; every call is in `spending` and told to `tell`.
        """
        trouble = Trouble("off", f"No model is configured for the role “{role}”.")
        for endpoint in self.roles.get(role, ()):
            asking = _Asking(self, role, endpoint, spending, tell, about)
            try:
                value = await asking.value(messages, schema, check)
            except Trouble as found:
                trouble = found
                if found.kind == "no_budget":
                    await asking.at_the_bound(found)
                    break
            else:
                return Decision(value, None, endpoint.name)
        return Decision(None, trouble)

    async def write(
        self,
        role: Role,
        messages: Sequence[BaseMessage],
        spending: Spending,
        *,
        tell: Told | None = None,
        on_text: Callable[[str], None] = lambda _: None,
        about: Shown = NOTHING,
    ) -> str | Trouble:
        """Ask for a text, as it comes told to `on_text`; a text that breaks off is a trouble."""
        trouble = Trouble("off", f"No model is configured for the role “{role}”.")
        for endpoint in self.roles.get(role, ()):
            try:
                asking = _Asking(self, role, endpoint, spending, tell, about)
                said = await asking.say(messages, "text", None, on_text)
            except Trouble as found:
                trouble = found
                if found.kind == "no_budget":
                    await asking.at_the_bound(found)
                    break
            else:
                return said.text
        return trouble

    async def probe(
        self, role: Role, messages: Sequence[BaseMessage], schema: type[BaseModel], spending: Spending
    ) -> tuple[dict[Mode, bool], Trouble | None]:
        """In which ways the first endpoint of the role gives an answer of a form, each asked for once and remembered.

        A trouble that is not about the way of asking ends it and is returned.
        """
        found: dict[Mode, bool] = {}
        endpoint = self.roles[role][0]
        self.memory.forget(endpoint)
        for mode in MODES:
            try:
                found[mode] = await _Asking(self, role, endpoint, spending, None, NOTHING).takes(messages, mode, schema)
            except Trouble as trouble:
                return found, trouble
        return found, None

    def breaker(self, endpoint: Endpoint) -> Breaker:
        """Shared by all roles that use this endpoint."""
        return self._breakers.setdefault(endpoint.id, self.new_breaker())

    def client(self) -> httpx.AsyncClient:
        """Connections are made in the event loop that asks first."""
        if self._client is None:
            self._client = new_client()
        return self._client


class _Asking:
    """One decision at one endpoint: modes, repair, retries, deadline."""

    def __init__(
        self, models: Models, role: Role, endpoint: Endpoint, spending: Spending, tell: Told | None, about: Shown
    ) -> None:
        self._models = models
        self._role: Role = role
        self._endpoint = endpoint
        self._spending = spending
        self._tell = tell
        self._about = about
        self._deadline = time.monotonic() + endpoint.seconds

    async def value(self, messages: Sequence[BaseMessage], schema: type[T], check: Callable[[T], str]) -> T:
        """In the strictest mode that the server takes; an answer that does not fit is sent back once.

        A mode that the server ignores shows by an answer without anything of the form: the repair describes the form.
        """
        asked, repaired = list(messages), False
        modes = list(self._abilities.order())
        ignored: list[Mode] = []
        while modes:
            mode = modes[0]
            try:
                said = await self.say(asked, mode, schema)
            except Trouble as trouble:
                if len(modes) > 1 and self._refuses_mode(trouble, mode):
                    modes.pop(0)
                    continue
                raise
            try:
                found = value_in(said.text, schema)
                problem = await asyncio.to_thread(check, found)  # the critic's reading takes a second
            except NoValue as no:
                problem = str(no)
                if problem == NO_OBJECT and mode not in DESCRIBED:
                    ignored = [one for one in modes if one not in DESCRIBED]
                    modes = [one for one in modes if one in DESCRIBED]
            if not problem:
                self._learn({**dict.fromkeys(ignored, False), mode: True})
                return found
            if repaired:
                raise Trouble("invalid", f"{self._endpoint.name} gave no usable answer: {problem.splitlines()[0]}")
            repaired = True
            repair = HumanMessage(render("answer_repair", problem=problem))
            asked = [*messages, AIMessage(said.text[:8000]), repair]
        raise Trouble("invalid", f"{self._endpoint.name} takes no question in any form that we know.")

    async def at_the_bound(self, trouble: Trouble) -> None:
        """Say it once in a run, as a call that was not made; later questions may be short enough and are tried."""
        if any(call.outcome == "no_budget" for call in self._spending.calls):
            return
        sentence = f"{trouble.sentence} The built-in experts go on."
        found = Call(self._role, self._endpoint.name, "text", "no_budget", sentence, 0.0, 0, 0, 0.0, 0)
        self._spending.calls.append(found)
        if self._tell is not None:
            await self._tell(found)

    async def takes(self, messages: Sequence[BaseMessage], mode: Mode, schema: type[BaseModel]) -> bool:
        """Whether an answer of the form comes when it is asked for in this way alone."""
        try:
            value_in((await self.say(messages, mode, schema)).text, schema)
        except NoValue:
            self._learn({mode: False})
            return False
        except Trouble as trouble:
            if mode != "text" and self._refuses_mode(trouble, mode):
                return False
            raise
        self._learn({mode: True})
        return True

    async def say(
        self,
        messages: Sequence[BaseMessage],
        mode: Mode,
        schema: type[BaseModel] | None,
        on_text: Callable[[str], None] = lambda _: None,
    ) -> Said:
        """Without what the server turns out not to take (a temperature, say)."""
        hidden = [_hidden(message, self._about) for message in messages] if self._about.aliases else messages
        while True:
            try:
                said = await self._with_retries(hidden, mode, schema, on_text)
                return replace(said, text=self._about.revealed(said.text))
            except Trouble as trouble:
                if not self._leaves_out(trouble):
                    raise

    async def _with_retries(
        self,
        messages: Sequence[BaseMessage],
        mode: Mode,
        schema: type[BaseModel] | None,
        on_text: Callable[[str], None],
    ) -> Said:
        """Of what may pass, as long as the deadline and the run's retries last."""
        retrying = AsyncRetrying(
            retry=self._worth_a_retry,
            wait=_pause(self._models.backoff),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(messages, mode, schema, on_text)
        raise AssertionError("tenacity ends with a result or an exception")

    def _worth_a_retry(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Trouble) or error.kind not in PASSING or state.attempt_number >= ATTEMPTS:
            return False
        left = self._deadline - time.monotonic()
        return left > (error.retry_after or 0.0) and self._spending.may_retry()

    async def _once(
        self,
        messages: Sequence[BaseMessage],
        mode: Mode,
        schema: type[BaseModel] | None,
        on_text: Callable[[str], None],
    ) -> Said:
        endpoint, breaker = self._endpoint, self._models.breaker(self._endpoint)
        if endpoint not in self._models.roles.get(self._role, ()):
            raise Trouble("off", f"{endpoint.name} was taken out of the settings meanwhile.")
        letters = letters_of(question(messages, mode, schema))
        if estimated_tokens(letters) > 1.3 * endpoint.context_tokens:
            raise Trouble("overflow", f"The question is longer than {endpoint.name} can read.")
        self._spending.check(endpoint, letters)
        if not breaker.enter():
            wait = f"{breaker.open_for:.0f} s"
            raise Trouble("circuit_open", f"{endpoint.name} failed repeatedly and is left alone for {wait}.")
        began = time.monotonic()
        with measured() as traffic:
            try:
                async with asyncio.timeout(max(0.0, self._deadline - began)):
                    client, until = self._models.client(), self._deadline
                    said = await call(endpoint, messages, mode, schema, self._abilities, client, on_text, until)
            except BaseException as error:
                trouble = trouble_of(error, endpoint.name)
                if trouble is None:
                    breaker.gave_up()
                    self._spending.calls.append(self._call(mode, letters, began, traffic, _left_alone(endpoint)))
                    raise
                trouble = trouble.without(endpoint.key.get_secret_value())
                (breaker.failed if trouble.kind in SICK else breaker.worked)()
                noted = await self._note(mode, letters, began, traffic, trouble)
                self._trace(noted, messages, schema, trouble.said)
                raise trouble from error
        breaker.worked()
        self._trace(await self._note(mode, letters, began, traffic, said), messages, schema, said.text)
        return said

    async def _note(self, mode: Mode, letters: int, began: float, traffic: Traffic, came: Trouble | Said) -> Call:
        found = self._call(mode, letters, began, traffic, came)
        self._spending.calls.append(found)
        if self._tell is not None:
            await self._tell(found)
        return found

    def _call(self, mode: Mode, letters: int, began: float, traffic: Traffic, came: Trouble | Said) -> Call:
        """What a failed call cost is not known; its question is taken as paid where the server had taken it."""
        trouble = came if isinstance(came, Trouble) else None
        said = came if isinstance(came, Said) else None
        answered = trouble is not None and trouble.kind in _ANSWERING and not trouble.status
        tokens_in = said.tokens_in if said else estimated_tokens(letters) if answered else 0
        tokens_out = said.tokens_out if said else estimated_tokens(len(trouble.said)) if trouble and answered else 0
        return Call(
            role=self._role,
            endpoint=self._endpoint.name,
            mode=mode,
            outcome=trouble.kind if trouble else "ok",
            sentence=trouble.sentence if trouble else f"{self._endpoint.name} answered.",
            seconds=round(time.monotonic() - began, 3),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self._endpoint.cost(tokens_in, tokens_out),
            bytes_out=traffic.bytes_out,
            estimated=said.estimated if said else answered,
            columns=self._about.columns,
            rows=self._about.rows,
            masked=self._about.masked,
            pictures=self._about.pictures,
        )

    def _trace(self, call: Call, asked: Sequence[BaseMessage], schema: type[BaseModel] | None, answer: str) -> None:
        trace_call(self._models.tracing, call, self._endpoint, asked, schema.__name__ if schema else "", answer)

    @property
    def _abilities(self) -> Abilities:
        return self._models.memory.of(self._endpoint)

    def _learn(self, seen: Mapping[Mode, bool]) -> None:
        self._models.memory.keep(self._endpoint, self._abilities.learned(seen))

    def _refuses_mode(self, trouble: Trouble, mode: Mode) -> bool:
        """Whether the server has refused this way of asking; that is remembered."""
        refused = trouble.kind == "rejected" and trouble.status in _MODE_REFUSED and mode != "text"
        if refused:
            self._learn({mode: False})
        return refused

    def _leaves_out(self, trouble: Trouble) -> bool:
        """Whether the server has refused an option that it can do without; that is remembered."""
        said, known = trouble.said.lower(), self._abilities
        if trouble.kind != "rejected":
            return False
        without = [name for name, word in _OPTIONS.items() if word in said and getattr(known, name)]
        self._models.memory.keep(self._endpoint, known.model_copy(update=dict.fromkeys(without, False)))
        return bool(without)


def _hidden(message: BaseMessage, about: Shown) -> BaseMessage:
    """With other names for columns whose own are personal data."""
    parts = message.content
    if isinstance(parts, str):
        return message.model_copy(update={"content": about.hidden(parts)})
    told = [{**p, "text": about.hidden(p["text"])} if isinstance(p, dict) and "text" in p else p for p in parts]
    return message.model_copy(update={"content": told})


def _left_alone(endpoint: Endpoint) -> Trouble:
    """Nobody waits for the answer any more: it is paid for all the same."""
    return Trouble("timeout", f"{endpoint.name} had not answered when nobody waited for it any more.")


def _pause(backoff: float) -> Callable[[RetryCallState], float]:
    """As long as the server asks, otherwise longer each time."""
    longer = wait_random_exponential(multiplier=backoff, max=8.0)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Trouble) else None
        return asked if asked is not None else longer(state)

    return pause
