"""What language models are configured, as the doors see it: the environment's settings and what was changed since.

What a user changes is kept in `roles.json` in the home folder, above the environment, and holds at once. Keys go in and
never come out again: a door learns that one is set, not which.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.llm.egress import Egress
from agents.llm.endpoint import Endpoint, Mode, Role
from agents.llm.spending import Allowance
from chat_app.settings import Settings

ModelRole = Literal["reasoning", "code", "vision", "fallback"]
"""fallback: asked for decisions and scripts when the first one cannot answer."""
TestKind = Literal["sentence", "structured", "code", "picture"]
MODEL_ROLES: tuple[ModelRole, ...] = get_args(ModelRole)
TEST_KINDS: tuple[TestKind, ...] = get_args(TestKind)
EGRESS_MODES: tuple[Egress, ...] = get_args(Egress)
ENDPOINT_FIELDS = tuple(Endpoint.model_fields)
"""What a form can change of a role; see `Endpoint` for their meaning and bounds."""


class Budgets(BaseModel):
    """Upper bounds of what models may cost; None: none. Money is in the unit of the configured prices."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run_tokens: int | None = Field(default=200_000, ge=0)
    run_money: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    run_minutes: float | None = Field(default=10.0, ge=0.0, allow_inf_nan=False)
    """Spent waiting for models."""
    day_tokens: int | None = Field(default=None, ge=0)
    day_money: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    day_minutes: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    """Days begin at midnight UTC; all projects together."""

    @property
    def run(self) -> Allowance:
        """Of one run."""
        return Allowance(tokens=self.run_tokens, money=self.run_money, seconds=_seconds(self.run_minutes))

    @property
    def day(self) -> Allowance:
        """Of one day; the retries are the run's."""
        seconds = _seconds(self.day_minutes)
        return Allowance(tokens=self.day_tokens, money=self.day_money, seconds=seconds, retries=1_000_000)


@dataclass(frozen=True)
class RoleSettings:
    """One role as a form shows it; the key is never in it."""

    role: ModelRole
    base_url: str
    """"" when nobody is configured."""
    model: str
    key_set: bool
    temperature: float | None
    """None: the server's own."""
    context_tokens: int
    price_in: float
    price_out: float
    seconds: float
    source: Literal["none", "environment", "here"]
    """Where it comes from; "here": it was changed in the application."""
    answers: tuple[str, ...]
    """Who is asked for this role at the moment, first one first; empty: the built-in experts alone."""


@dataclass(frozen=True)
class Metered:
    """What left for language models and what it cost, added up."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    bytes_out: int = 0
    columns: int = 0
    """Columns that the calls named, the most of any one call."""
    rows: int = 0
    """Rows of the table that left, the most of any one call."""
    masked: tuple[str, ...] = ()
    """Kinds of personal data that were masked before, by name."""
    pictures: int = 0
    """Pictures that left, each whole."""

    @property
    def tokens(self) -> int:
        """Sent and answered."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class ModelSettings:
    """Everything that a settings panel shows."""

    roles: tuple[RoleSettings, ...]
    """One per `MODEL_ROLES`, in that order."""
    egress: Egress
    budgets: Budgets
    today: Metered
    """All projects together."""


@dataclass(frozen=True)
class ModelTest:
    """What came of one test of a role."""

    role: ModelRole
    what: TestKind
    ok: bool
    sentence: str
    """What happened, for people."""
    advice: str = ""
    """What can be done; "" when it went well."""
    endpoint: str = ""
    """Model and host; "" when nobody is configured."""
    seconds: float = 0.0
    """Latency: from the question to the whole answer, of the last call."""
    first_seconds: float | None = None
    """To the first word; None: nothing was streamed as text."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    estimated: bool = False
    """The server counted no tokens; the figures are ours."""
    modes: tuple[tuple[Mode, bool], ...] = ()
    """Which ways of asking for a form the server takes; only of the test "structured"."""
    answer: str = ""
    """What the model said, cut to some lines."""


class RoleStore:
    """The file `roles.json`: what was changed in the application. A damaged file is as good as none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.home / "roles.json"
        self._kept = _read(self._file)

    @property
    def egress(self) -> Egress:
        """What of a table may leave."""
        given = self._kept.get("egress")
        return next((mode for mode in EGRESS_MODES if mode == given), self._settings.egress)

    @property
    def budgets(self) -> Budgets:
        """What was changed, above the environment's."""
        base = budgets_of(self._settings)
        try:
            return Budgets.model_validate({**base.model_dump(), **_mapping(self._kept.get("budgets"))})
        except ValidationError:
            return base

    def endpoint(self, role: ModelRole) -> Endpoint | None:
        """Who answers for the role itself, without stand-ins."""
        below: Endpoint | None = getattr(self._settings, role)
        try:
            return _above(below, self._changes(role))
        except ValidationError:
            return below

    def answering(self, role: ModelRole) -> Endpoint | None:
        """Who is asked first for the role; scripts are written by the reasoning model where no other is named."""
        own = self.endpoint(role)
        return self.endpoint("reasoning") if own is None and role == "code" else own

    def source(self, role: ModelRole) -> Literal["none", "environment", "here"]:
        """Where the endpoint comes from."""
        if self._changes(role):
            return "here"
        return "none" if getattr(self._settings, role) is None else "environment"

    @property
    def roles(self) -> dict[Role, tuple[Endpoint, ...]]:
        """Who is asked for what, in order; nobody when nothing may leave."""
        if self.egress == "off":
            return {}
        return asked_in_order({role: self.endpoint(role) for role in MODEL_ROLES})

    def change_role(self, role: ModelRole, fields: Mapping[str, Any]) -> str:
        """Keep what a form says of a role; what is wrong with it, "" when nothing is.

        `{"reset": True}`: as the environment says again. `{"off": True}`: nobody, even where the environment names one.
        A key stays with its address: when another server is named, it has to be given again.
        """
        if fields.get("reset") or fields.get("off"):
            self._keep_role(role, {"off": True} if fields.get("off") else None)
            return ""
        if unknown := [name for name in fields if name not in ENDPOINT_FIELDS]:
            return f"There is no field {unknown[0]!r}; the fields are {', '.join(ENDPOINT_FIELDS)}."
        before = self.endpoint(role)
        changes = {name: value for name, value in self._changes(role).items() if name != "off"}
        changes.update(fields)
        try:
            made = _above(getattr(self._settings, role), changes)
        except ValidationError as error:
            return complaint(error)
        assert made is not None, "changes make an endpoint or do not fit"
        if "key" not in fields and before is not None and origin(before.base_url) != origin(made.base_url):
            changes.pop("key", None)
        if "key" in changes:  # so that it can never be sent elsewhere, whatever the environment says later
            changes["base_url"] = made.base_url
        self._keep_role(role, changes)
        return ""

    def change(self, fields: Mapping[str, Any]) -> str:
        """Keep an egress mode or budgets; what is wrong with them, "" when nothing is."""
        budgets = {**_mapping(self._kept.get("budgets")), **{k: v for k, v in fields.items() if k != "egress"}}
        if "egress" in fields and fields["egress"] not in EGRESS_MODES:
            return f"egress is one of {', '.join(EGRESS_MODES)}."
        try:
            Budgets.model_validate({**budgets_of(self._settings).model_dump(), **budgets})
        except ValidationError as error:
            return complaint(error)
        kept = {**self._kept, "budgets": budgets}
        if "egress" in fields:
            kept["egress"] = fields["egress"]
        self._write(kept)
        return ""

    def _changes(self, role: ModelRole) -> dict[str, Any]:
        return _mapping(_mapping(self._kept.get("roles")).get(role))

    def _keep_role(self, role: ModelRole, changes: Mapping[str, Any] | None) -> None:
        roles = {name: value for name, value in _mapping(self._kept.get("roles")).items() if name != role}
        if changes is not None:
            roles[role] = dict(changes)
        self._write({**self._kept, "roles": roles})

    def _write(self, kept: dict[str, Any]) -> None:
        """Raises OSError. Nobody but the user can read the file, from its first moment on."""
        partial = self._file.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(kept, out, indent=1, ensure_ascii=False)
        partial.replace(self._file)
        self._kept = kept


def asked_in_order(named: Mapping[ModelRole, Endpoint | None]) -> dict[Role, tuple[Endpoint, ...]]:
    """The endpoints of each role: scripts fall back to the reasoning model, and both to the second endpoint."""
    firsts: dict[Role, tuple[ModelRole, ...]] = {
        "reasoning": ("reasoning", "fallback"),
        "code": ("code" if named.get("code") else "reasoning", "fallback"),
        "vision": ("vision",),
    }
    asked = {
        role: tuple(dict.fromkeys(one for name in order if (one := named.get(name)) is not None))
        for role, order in firsts.items()
    }
    return {role: endpoints for role, endpoints in asked.items() if endpoints}


def budgets_of(settings: Settings) -> Budgets:
    """As the environment says."""
    run, day = settings.allowance, settings.day_allowance
    return Budgets(
        run_tokens=run.tokens,
        run_money=run.money,
        run_minutes=None if run.seconds is None else run.seconds / 60,
        day_tokens=day.tokens,
        day_money=day.money,
        day_minutes=None if day.seconds is None else day.seconds / 60,
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """Whom a key is given to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _above(below: Endpoint | None, changes: Mapping[str, Any]) -> Endpoint | None:
    """The endpoint with its changes; the environment's key goes to the environment's server alone."""
    if changes.get("off"):
        return None
    if not changes:
        return below
    base = below.model_dump() if below is not None else {}
    merged = {**base, **changes}
    made = Endpoint.model_validate(merged)
    if "key" not in changes and (below is None or origin(below.base_url) != origin(made.base_url)):
        return made.model_copy(update={"key": Endpoint.model_fields["key"].default})
    return made


def complaint(error: ValidationError) -> str:
    """The first thing that does not fit, without what was given: it might be a key."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ").rstrip(".") + "."


def _read(file: Path) -> dict[str, Any]:
    try:
        return _mapping(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60
