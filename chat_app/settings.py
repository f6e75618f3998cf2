"""Every setting of the product, read from the environment and `.env` in this one place.

Names in the environment carry the prefix `MODELWRIGHT_`, e.g. `MODELWRIGHT_HOME`, `MODELWRIGHT_BUDGET_SECONDS`.
"""

import os
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.llm.egress import Egress
from agents.llm.endpoint import Endpoint
from agents.llm.spending import Allowance
from sandbox.base import Limits
from sandbox.elsewhere import Elsewhere

SandboxChoice = Literal["auto", "full", "bubblewrap", "reduced", "docker", "e2b"]
"""Where scripts run: "auto" is the best local level that works here, a name is that one or none."""


class Settings(BaseSettings):
    """Defaults suit one person on a laptop: SQLite and files under `home`, no account, no key."""

    model_config = SettingsConfigDict(
        env_prefix="MODELWRIGHT_",
        env_file=".env",
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a line of .env.example that was taken over and not filled in
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Path = Field(default_factory=lambda: user_data_path("modelwright"))
    """Projects, logs and databases live here."""
    host: str = "127.0.0.1"
    """Where the chat listens. Anything but loopback needs a login, which comes with the team server."""
    port: int = Field(default=8000, ge=1, le=65_535)
    budget_seconds: float = Field(default=60.0, ge=5.0, le=86_400.0)
    """Wall clock for one whole run when the user says nothing else."""
    seed: int = 0
    ask_contract: bool = True
    """Gate 1: the user sees the contract before anything is trained."""
    ask_code: bool = True
    """Gate 2: the user sees every script before it runs."""
    blueprints: Path | None = None
    """A folder of your own blueprints, one folder each; see docs/blueprints.md."""
    templates: Path | None = None
    """The folder of your own model templates; None: `templates` in `home`. See docs/models.md."""
    owner: str = Field(default="", max_length=200)
    """Who answers for a model, for its card."""

    reasoning: Endpoint | None = None
    """A language model for the decisions; its fields follow two underscores, e.g. MODELWRIGHT_REASONING__MODEL."""
    code: Endpoint | None = None
    """A language model that writes scripts; None: the one of `reasoning`."""
    vision: Endpoint | None = None
    """A language model that reads pictures; None: pictures are not read."""
    fallback: Endpoint | None = None
    """Asked for decisions and scripts when the first one cannot answer."""
    improve: bool = True
    """Where a model can write scripts, a better one than the recipe is searched for in what the budget leaves."""
    egress: Egress = "schema"
    """What of a table may leave for a model."""
    model_tokens: int | None = Field(default=200_000, ge=0)
    """Tokens that the models of one run may use."""
    model_money: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    """What the models of one run may cost, in the unit of the configured prices; None: no bound."""
    model_seconds: float | None = Field(default=600.0, ge=0.0, allow_inf_nan=False)
    """Time that one run may wait for models."""
    model_day_tokens: int | None = Field(default=None, ge=0)
    """The same for all runs of one day, which begins at midnight UTC."""
    model_day_money: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    model_day_seconds: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)

    otlp_endpoint: str = ""
    """An OpenTelemetry collector that takes spans over HTTP; "": none. See docs/tracing.md."""
    otlp_headers: SecretStr = SecretStr("")
    """What that collector wants beside, as name=value with commas between."""
    langfuse_host: str = "https://cloud.langfuse.com"
    langfuse_public_key: str = ""
    langfuse_secret_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    """With both keys, each call of a model is told to Langfuse."""
    sentry_dsn: SecretStr = SecretStr("")
    """With it, errors of the product are told to Sentry."""
    trace_content: bool = False
    """Whether spans take along what was said to models, and what they answered."""

    sandbox: SandboxChoice = "auto"
    """A level that is named is used or nothing runs."""
    docker_image: str = "modelwright-sandbox"
    """What containers are made from; see docs/sandbox-backends.md."""
    docker_runtime: str | None = None
    """OCI runtime of containers; None: gVisor where the engine has it, else the engine's own."""
    e2b_api_key: SecretStr | None = None
    e2b_template: str = "code-interpreter-v1"
    e2b_domain: str | None = None
    """Of an E2B of one's own; None: the public one."""
    e2b_idle_seconds: int = Field(default=120, ge=15, le=3600)
    """A rented machine is kept this long after a run, and paid for."""

    cpus: float = Field(default=2, gt=0, le=1024)
    """Processor cores of one run in the sandbox, in CPU seconds per second."""
    memory_mb: int = Field(default=2048, ge=256)
    """Memory of one run, all its processes together."""
    run_seconds: float = Field(default=120, ge=5, le=86_400)
    """Wall clock of one run that is no training, from its first line."""
    extra_seconds: float = Field(default=60, ge=5, le=86_400)
    """A training script may run this much longer than its budget before it is stopped."""
    processes: int = Field(default=64, ge=4)
    """Processes and threads together."""
    written_mb: int = Field(default=512, ge=16)
    """All files that one run leaves."""
    output_mb: int = Field(default=10, ge=1)
    """What one run prints, on both streams together."""

    max_upload_mb: int = Field(default=1024, ge=1)

    @field_validator("otlp_endpoint", "langfuse_host")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        parts = urlsplit(given)
        if given and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("it is no address; one looks like http://localhost:4318")
        if parts.username or parts.password:
            raise ValueError("an address holds no password: give keys by themselves")
        return given

    @field_validator("sentry_dsn")
    @classmethod
    def _is_a_dsn(cls, given: SecretStr) -> SecretStr:
        parts = urlsplit(given.get_secret_value())
        if given.get_secret_value() and not (parts.hostname and parts.username and parts.path.strip("/").isdigit()):
            raise ValueError("it is no DSN of Sentry; one looks like https://key@host/1")
        return given

    @field_validator("langfuse_secret_key")
    @classmethod
    def _goes_with_the_public_key(cls, given: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(given.get_secret_value()) != bool(info.data.get("langfuse_public_key")):
            raise ValueError("Langfuse wants a public and a secret key, set both or neither")
        return given

    @property
    def traced(self) -> bool:
        """Whether anybody outside is told of spans or errors."""
        return bool(self.otlp_endpoint or self.langfuse_public_key or self.sentry_dsn.get_secret_value())

    @property
    def limits(self) -> Limits:
        """What one run in the sandbox may use; a training run gets its budget and `extra_seconds` instead of its time.

        See `agents.code_generator.training_limits`.
        """
        return Limits(
            cpus=self.cpus,
            memory_mb=self.memory_mb,
            seconds=self.run_seconds,
            processes=self.processes,
            written_mb=self.written_mb,
            output_mb=self.output_mb,
        )

    @property
    def elsewhere(self) -> Elsewhere:
        """What sandboxes need that are not on this machine."""
        return Elsewhere(
            docker_image=self.docker_image,
            docker_runtime=self.docker_runtime,
            e2b_api_key=self.e2b_api_key,
            e2b_template=self.e2b_template,
            e2b_domain=self.e2b_domain,
            e2b_idle_seconds=self.e2b_idle_seconds,
        )

    @property
    def allowance(self) -> Allowance:
        """What the models of one run may cost."""
        return Allowance(tokens=self.model_tokens, money=self.model_money, seconds=self.model_seconds)

    @property
    def day_allowance(self) -> Allowance:
        """What the models of one day may cost; the retries are bounded per run."""
        return Allowance(
            tokens=self.model_day_tokens,
            money=self.model_day_money,
            seconds=self.model_day_seconds,
            retries=1_000_000,
        )

    @property
    def database(self) -> Path:
        """Projects, events and chat history."""
        return self.home / "modelwright.db"

    @property
    def template_folder(self) -> Path:
        """Where model templates are saved."""
        return self.templates or self.home / "templates"

    @property
    def checkpoints(self) -> Path:
        """LangGraph's control state."""
        return self.home / "checkpoints.db"

    def project_folder(self, project: str) -> Path:
        """Files of one project."""
        return self.home / "projects" / project

    def prepare_home(self) -> None:
        """Make the folder, for this user only. Raises OSError when that is not possible."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.home / "projects").mkdir(exist_ok=True, mode=0o700)

    def session_secret(self) -> str:
        """The key that signs browser sessions: made once, kept in `home`, so that a restart logs nobody out."""
        path = self.home / "session.secret"
        if not path.exists():
            self.prepare_home()
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as out:
                out.write(secrets.token_urlsafe(48))
        return path.read_text()


def secret_in(variable: str) -> str:
    """What an environment variable holds whose name the user gave; "" when it is not set."""
    return os.environ.get(variable, "").strip()
