"""The gateway: the only way by which agents ask a language model, and get a checked value or a typed refusal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from agents.llm.breaker import Breaker
from agents.llm.calling import Said, call, letters_of, with_form
from agents.llm.endpoint import Abilities, Endpoint, Memory, Mode, Role
from agents.llm.salvage import NoValue, value_in
from agents.llm.spending import Call, Spending, estimated_tokens
from agents.llm.trouble import PASSING, SICK, Trouble, trouble_of
from prompts.render import render

T = TypeVar("T", bound=BaseModel)
Told = Callable[[Call], Awaitable[None]]
ATTEMPTS = 3
"""Of one request; what is spent on retries in all is the run's (`Allowance.retries`)."""
_MODE_REFUSED = frozenset({400, 405, 415, 422})
"""Statuses with which servers answer to a form that they do not know."""
_OPTIONS = {"temperature": "temperature", "usage": "stream_options"}
"""Field of `Abilities`, and its name in a request and in a server's complaint."""


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
    new_breaker: Callable[[], Breaker] = Breaker
    backoff: float = 0.4
    """Seconds before the first retry, at most; doubled each time."""
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
    ) -> Decision[T]:
        """Ask for a value. `check` holds it against the facts and says what is wrong with it, "" when nothing is.

        Never raises for what a model or a server does; every call is in `spending` and told to `tell`.
        """
        trouble = Trouble("off", f"No model is configured for the role “{role}”.")
        for endpoint in self.roles.get(role, ()):
            asking = _Asking(self, role, endpoint, spending, tell)
            try:
                value = await asking.value(messages, schema, check)
            except Trouble as found:
                trouble = found
                if found.kind == "no_budget":
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
    ) -> str | Trouble:
        """Ask for a text, as it comes told to `on_text`; a text that breaks off is a trouble."""
        trouble = Trouble("off", f"No model is configured for the role “{role}”.")
        for endpoint in self.roles.get(role, ()):
            try:
                said = await _Asking(self, role, endpoint, spending, tell).say(messages, "text", None, on_text)
            except Trouble as found:
                trouble = found
                if found.kind == "no_budget":
                    break
            else:
                return said.text
        return trouble

    def breaker(self, endpoint: Endpoint) -> Breaker:
        """Shared by all roles that use this endpoint."""
        return self._breakers.setdefault(endpoint.id, self.new_breaker())

    def client(self) -> httpx.AsyncClient:
        """Connections are made in the event loop that asks first."""
        if self._client is None:
            self._client = httpx.AsyncClient()
        return self._client


class _Asking:
    """One decision at one endpoint: modes, repair, retries, deadline."""

    def __init__(self, models: Models, role: Role, endpoint: Endpoint, spending: Spending, tell: Told | None) -> None:
        self._models = models
        self._role: Role = role
        self._endpoint = endpoint
        self._spending = spending
        self._tell = tell
        self._deadline = time.monotonic() + endpoint.seconds

    async def value(self, messages: Sequence[BaseMessage], schema: type[T], check: Callable[[T], str]) -> T:
        """In the strictest mode that the server takes; an answer that does not fit is sent back once.

        A mode in which the answer holds nothing of the form was ignored by the server: the repair asks in the next.
        """
        asked, repaired = list(messages), False
        modes = list(self._abilities.order())
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
                problem = check(found)
            except NoValue as no:
                problem = str(no)
                if problem.startswith("The answer holds no") and len(modes) > 1 and mode != "text":
                    modes.pop(0)
            if not problem:
                self._learn(mode, True)
                return found
            if repaired:
                raise Trouble("invalid", f"{self._endpoint.name} gave no usable answer: {problem.splitlines()[0]}")
            repaired = True
            repair = HumanMessage(render("answer_repair", problem=problem))
            asked = [*messages, AIMessage(said.text[:8000]), repair]
        raise Trouble("invalid", f"{self._endpoint.name} takes no question in any form that we know.")

    async def say(
        self,
        messages: Sequence[BaseMessage],
        mode: Mode,
        schema: type[BaseModel] | None,
        on_text: Callable[[str], None] = lambda _: None,
    ) -> Said:
        """Without what the server turns out not to take (a temperature, say)."""
        while True:
            try:
                return await self._with_retries(messages, mode, schema, on_text)
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
        letters = letters_of(with_form(messages, mode, schema))
        if estimated_tokens(letters) > 1.3 * endpoint.context_tokens:
            raise Trouble("overflow", f"The question is longer than {endpoint.name} can read.")
        self._spending.check(endpoint, letters)
        if not breaker.enter():
            wait = f"{breaker.open_for:.0f} s"
            raise Trouble("circuit_open", f"{endpoint.name} failed repeatedly and is left alone for {wait}.")
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - began)):
                said = await call(endpoint, messages, mode, schema, self._abilities, self._models.client(), on_text)
        except BaseException as error:
            trouble = trouble_of(error, endpoint.name)
            if trouble is None:
                breaker.gave_up()
                raise
            (breaker.failed if trouble.kind in SICK else breaker.worked)()
            await self._note(mode, letters, began, trouble, None)
            raise trouble from error
        breaker.worked()
        await self._note(mode, letters, began, None, said)
        return said

    async def _note(self, mode: Mode, letters: int, began: float, trouble: Trouble | None, said: Said | None) -> None:
        """What a failed call cost is not known; its question is taken as paid where the server had begun to answer."""
        answered = said is not None or (trouble is not None and bool(trouble.said) and trouble.status == 0)
        tokens_in = said.tokens_in if said else estimated_tokens(letters) if answered else 0
        tokens_out = said.tokens_out if said else estimated_tokens(len(trouble.said)) if trouble and answered else 0
        found = Call(
            role=self._role,
            endpoint=self._endpoint.name,
            mode=mode,
            outcome=trouble.kind if trouble else "ok",
            sentence=trouble.sentence if trouble else f"{self._endpoint.name} answered.",
            seconds=round(time.monotonic() - began, 3),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self._endpoint.cost(tokens_in, tokens_out),
            bytes_out=letters,
            estimated=said.estimated if said else answered,
        )
        self._spending.calls.append(found)
        if self._tell is not None:
            await self._tell(found)

    @property
    def _abilities(self) -> Abilities:
        return self._models.memory.of(self._endpoint)

    def _learn(self, mode: Mode, works: bool) -> None:
        self._models.memory.keep(self._endpoint, self._abilities.learned(mode, works))

    def _refuses_mode(self, trouble: Trouble, mode: Mode) -> bool:
        """Whether the server has refused this way of asking; that is remembered."""
        refused = trouble.kind == "rejected" and trouble.status in _MODE_REFUSED and mode != "text"
        if refused:
            self._learn(mode, False)
        return refused

    def _leaves_out(self, trouble: Trouble) -> bool:
        """Whether the server has refused an option that it can do without; that is remembered."""
        said, known = trouble.said.lower(), self._abilities
        if trouble.kind != "rejected":
            return False
        without = [name for name, word in _OPTIONS.items() if word in said and getattr(known, name)]
        self._models.memory.keep(self._endpoint, known.model_copy(update=dict.fromkeys(without, False)))
        return bool(without)


def _pause(backoff: float) -> Callable[[RetryCallState], float]:
    """As long as the server asks, otherwise longer each time."""
    longer = wait_random_exponential(multiplier=backoff, max=8.0)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Trouble) else None
        return asked if asked is not None else longer(state)

    return pause
