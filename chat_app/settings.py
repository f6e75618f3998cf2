"""Every setting of the product, read from the environment and `.env` in this one place.

Names in the environment carry the prefix `MODELWRIGHT_`, e.g. `MODELWRIGHT_HOME`, `MODELWRIGHT_BUDGET_SECONDS`.
"""

import os
import secrets
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Defaults suit one person on a laptop: SQLite and files under `home`, no account, no key."""

    model_config = SettingsConfigDict(env_prefix="MODELWRIGHT_", env_file=".env", extra="ignore", frozen=True)

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
    cpus: float = Field(default=2, gt=0)
    memory_mb: int = Field(default=2048, ge=256)
    """Memory of one sandbox run, all its processes together."""
    extra_seconds: float = Field(default=120, ge=5)
    """A training script may run this much longer than its budget before it is stopped."""
    processes: int = Field(default=64, ge=4)
    written_mb: int = Field(default=512, ge=16)
    output_mb: int = Field(default=10, ge=1)
    max_upload_mb: int = Field(default=1024, ge=1)

    @property
    def database(self) -> Path:
        """Projects, events and chat history."""
        return self.home / "modelwright.db"

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
