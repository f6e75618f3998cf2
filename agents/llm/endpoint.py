"""Where a language model answers, what it costs, and what its server was found to be able to do."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

Role = Literal["reasoning", "code", "vision"]
Mode = Literal["json_schema", "tool", "json_object", "text"]
"""How an answer of a given form is asked for, the strictest first: the server decodes by the schema, a named tool has
the schema as its parameters, the server promises any JSON, the schema is only described."""
MODES: tuple[Mode, ...] = ("json_schema", "tool", "json_object", "text")
DESCRIBED: frozenset[Mode] = frozenset({"json_object", "text"})
"""Those in which the form stands in the question itself, so that a server that ignores the rest can still answer."""


class Endpoint(BaseModel):
    """One model behind one OpenAI-compatible address."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    base_url: str
    """Up to and with the version, e.g. http://localhost:11434/v1."""
    model: str = Field(min_length=1)
    key: SecretStr = SecretStr("")
    temperature: float | None = Field(default=0.0, ge=0.0, le=2.0)
    """None: the server's own."""
    context_tokens: int = Field(default=32_768, ge=1024)
    """Question and answer together."""
    price_in: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Money per million tokens that are sent."""
    price_out: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Money per million tokens that are answered."""
    seconds: float = Field(default=60.0, gt=0.0, le=3600.0)
    """Deadline of one decision, with retries and repairs."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # reading a port checks it
            raise ValueError("this is no address of a model server; one looks like http://localhost:11434/v1")
        if parts.username or parts.password:
            raise ValueError("an address holds no password: give the key by itself")
        return given.rstrip("/")

    @field_validator("key")
    @classmethod
    def _fits_in_a_header(cls, given: SecretStr) -> SecretStr:
        key = given.get_secret_value().strip()
        if not all("!" <= letter <= "~" for letter in key):
            raise ValueError("it holds a character that no key has")
        return SecretStr(key)

    @property
    def name(self) -> str:
        """For people: the model and the host."""
        return f"{self.model} at {urlsplit(self.base_url).netloc}"

    @property
    def id(self) -> str:
        """Names model and address in files; nothing of the key is in it."""
        return hashlib.sha256(f"{self.base_url}\n{self.model}".encode()).hexdigest()[:24]

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Money, in the unit of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1_000_000


class Abilities(BaseModel):
    """What a server was seen to accept (True) or to refuse (False); what was never tried is not named."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    modes: Mapping[Mode, bool] = {}
    temperature: bool = True
    usage: bool = True
    """Whether it takes the wish to count tokens in a stream."""
    system: bool = True
    """Whether its template knows system messages."""

    def order(self) -> tuple[Mode, ...]:
        """The modes worth asking in: what works comes first, what was refused is left out; text always remains."""
        open_ones = [mode for mode in MODES if self.modes.get(mode, True)]
        works = [mode for mode in open_ones if self.modes.get(mode) and mode != "text"]
        return tuple(dict.fromkeys([*works[:1], *open_ones, "text"]))

    def learned(self, seen: Mapping[Mode, bool]) -> Self:
        """The same with more observations."""
        return self.model_copy(update={"modes": {**self.modes, **seen}})


class Memory:
    """What was found out about endpoints, kept in a file so that each server is probed once; None: in memory only."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: dict[str, Abilities] = {}
        if file is not None and file.is_file():
            self._known = _read(file)

    def of(self, endpoint: Endpoint) -> Abilities:
        """Everything open for a server that was never asked."""
        return self._known.get(endpoint.id, Abilities())

    def keep(self, endpoint: Endpoint, found: Abilities) -> None:
        """Write when there is news; a file that cannot be written costs a probe next time and nothing else."""
        if self.of(endpoint) == found:
            return
        self._known[endpoint.id] = found
        if self._file is None:
            return
        partial = self._file.with_suffix(".partial")
        try:
            partial.write_text(json.dumps({key: one.model_dump() for key, one in self._known.items()}), "utf-8")
            partial.replace(self._file)
        except OSError:
            partial.unlink(missing_ok=True)

    def forget(self, endpoint: Endpoint) -> None:
        """Before a test: the server may have been exchanged."""
        self.keep(endpoint, Abilities())


def _read(file: Path) -> dict[str, Abilities]:
    """A damaged file is as good as none."""
    try:
        return {key: Abilities.model_validate(one) for key, one in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError, ValidationError):
        return {}
