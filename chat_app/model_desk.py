"""Everything of language models that the conductor has a hand in: who is asked, what was changed, what was spent."""

import asyncio
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from agents.events import Envelope
from agents.llm.endpoint import Endpoint, Memory
from agents.llm.spending import Allowance, Call, Spending
from agents.llm.trouble import PASSING
from agents.models import Models
from chat_app.model_settings import (
    MODEL_ROLES,
    TEST_KINDS,
    Metered,
    ModelRole,
    ModelSettings,
    ModelTest,
    RoleSettings,
    RoleStore,
    TestKind,
    asked_in_order,
    complaint,
)
from chat_app.model_testing import nobody, try_model
from chat_app.settings import Settings
from chat_app.store import Store

TURN_BEGINS = ("MESSAGE_RECEIVED", "REWOUND")
_FIELDS = frozenset(Call.__dataclass_fields__)


class ModelDesk:
    """One per conductor."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._kept = RoleStore(settings)
        self._store = store
        self.models = Models(self._kept.roles, Memory(settings.home / "models.json"), self._kept.egress)
        self._changing = asyncio.Lock()
        self._tested: list[Call] = []
        """Calls of tests of this process: no project's, but of today's budget."""

    async def settings(self) -> ModelSettings:
        """What a panel shows; no key is in it."""
        named = {role: self._kept.endpoint(role) for role in MODEL_ROLES}
        answers = asked_in_order(named) if self._kept.egress != "off" else {}
        roles = tuple(self._shown(role, named[role], answers) for role in MODEL_ROLES)
        return ModelSettings(roles, self._kept.egress, self._kept.budgets, metered(await self._today()))

    async def configure_role(self, role: str, fields: Mapping[str, Any]) -> str:
        """Change a role; it holds from the next call on. What is wrong with it, "" when nothing is."""
        known = next((one for one in MODEL_ROLES if one == role), None)
        if known is None:
            return f"There is no role {role!r}; the roles are {', '.join(MODEL_ROLES)}."
        problem = await self._changed(lambda: self._kept.change_role(known, fields))
        if not problem and (endpoint := self._kept.answering(known)) is not None:
            self.models.breaker(endpoint).worked()  # what was corrected is tried again at once
        return problem

    async def configure(self, fields: Mapping[str, Any]) -> str:
        """Change the egress mode or budgets; the budgets hold from the next run on."""
        return await self._changed(lambda: self._kept.change(fields))

    async def test(self, role: str, what: str) -> ModelTest:
        """Ask the role's own model for one thing; LookupError for a role or a test that does not exist."""
        tested: ModelRole | None = next((one for one in MODEL_ROLES if one == role), None)
        kind: TestKind | None = next((one for one in TEST_KINDS if one == what), None)
        if tested is None or kind is None:
            raise LookupError(f"There is no test {what!r} of a role {role!r}")
        endpoint = self._kept.answering(tested)
        if endpoint is None or self._kept.egress == "off":
            return nobody(tested, kind, off=endpoint is not None)
        found, calls = await try_model(tested, kind, endpoint, self.models.memory)
        self._tested.extend(calls)
        if found.ok:
            self.models.breaker(endpoint).worked()
        return found

    async def spending(self, project: str, chosen: Mapping[str, Any]) -> Spending:
        """The account of a project's run, with what the log says that it and the day have cost already.

        `chosen`: bounds of this run alone, fields of `Allowance`.
        """
        budgets = self._kept.budgets
        began = await self._store.last_of(project, TURN_BEGINS)
        here = calls_of(await self._store.model_calls(project=project, after_seq=began))
        ids = {call_id for call_id, _ in here}
        before = [call for call_id, call in await self._of_today() if call_id not in ids]
        calls = [call for _, call in here]
        retried = sum(call.outcome in PASSING for call in calls)
        run = budgets.run.model_copy(update=dict(chosen))
        return Spending(run, budgets.day, (*before, *self._tested), calls, retried)

    def objection(self, chosen: Mapping[str, Any]) -> str:
        """What is wrong with bounds of a run, "" when nothing is."""
        fields = {name: getattr(Allowance(), name) for name in Allowance.model_fields}
        if unknown := [name for name in chosen if name not in fields]:
            return f"The models' budget has no bound {unknown[0]!r}; there are {', '.join(fields)}."
        try:
            Allowance.model_validate({**fields, **chosen})
        except ValidationError as error:
            return complaint(error)
        return ""

    async def meter(self, project: str) -> Metered:
        """What has left for models from one project."""
        return metered(call for _, call in calls_of(await self._store.model_calls(project=project)))

    async def _today(self) -> list[Call]:
        return [*(call for _, call in await self._of_today()), *self._tested]

    async def _of_today(self) -> list[tuple[str, Call]]:
        midnight = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT00:00:00")
        return calls_of(await self._store.model_calls(since=midnight))

    async def _changed(self, change: Any) -> str:
        try:
            async with self._changing:
                problem: str = await asyncio.to_thread(change)
        except OSError as error:
            return f"The change could not be written to the home folder: {error.strerror or error}."
        self.models.roles = self._kept.roles
        self.models.egress = self._kept.egress
        return problem

    def _shown(
        self, role: ModelRole, own: Endpoint | None, answers: Mapping[Any, tuple[Endpoint, ...]]
    ) -> RoleSettings:
        blank = Endpoint(base_url="http://localhost/v1", model="-")
        shown = own or blank
        asked = answers.get(role, ()) if role != "fallback" else tuple(one for one in (own,) if one and answers)
        return RoleSettings(
            role,
            own.base_url if own else "",
            own.model if own else "",
            bool(own and own.key.get_secret_value()),
            shown.temperature,
            shown.context_tokens,
            shown.price_in,
            shown.price_out,
            shown.seconds,
            self._kept.source(role),
            tuple(one.name for one in asked),
        )


def calls_of(envelopes: Iterable[Envelope]) -> list[tuple[str, Call]]:
    """The calls that were said, each with its event's id."""
    found = []
    for envelope in envelopes:
        known = {name: value for name, value in envelope.payload.items() if name in _FIELDS}
        found.append((envelope.id, Call(**{"mode": "text", **known, "masked": tuple(known.get("masked", ()))})))
    return found


def metered(calls: Iterable[Call]) -> Metered:
    """Added up."""
    all_calls = [call for call in calls if call.outcome != "no_budget"]  # which were not made
    return Metered(
        calls=len(all_calls),
        tokens_in=sum(call.tokens_in for call in all_calls),
        tokens_out=sum(call.tokens_out for call in all_calls),
        cost=sum(call.cost for call in all_calls),
        seconds=sum(call.seconds for call in all_calls),
        bytes_out=sum(call.bytes_out for call in all_calls),
        columns=max((call.columns for call in all_calls), default=0),
        rows=max((call.rows for call in all_calls), default=0),
        masked=tuple(sorted({kind for call in all_calls for kind in call.masked})),
        pictures=sum(call.pictures for call in all_calls),
    )
