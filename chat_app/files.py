"""Where the files of a project lie: uploads, what was made, and what hashes in its events stand for."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chat_app.settings import Settings
from tools.samples import is_sample, write_sample
from tools.vault import Vault


@dataclass(frozen=True)
class ProjectFiles:
    """Paths by project; names from outside never lead out of a project's folder."""

    settings: Settings

    def folder(self, project: str) -> Path:
        """Everything of one project."""
        return self.settings.project_folder(project)

    def vault(self, project: str) -> Vault:
        """Files by their hash."""
        return Vault(self.folder(project) / "vault")

    def artifact(self, project: str, attempt: int, name: str) -> Path:
        """A delivered file; LookupError when there is none."""
        folder = (self.folder(project) / "attempts" / str(int(attempt)) / "artifacts").resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            raise LookupError(f"No file {name!r} in attempt {attempt}")
        return path

    def take(self, project: str, files: Sequence[Path | str]) -> list[Path]:
        """Copy uploads into the project, so that the originals may change or go; a sample's name is written out.

        What is no file is returned as it is: reading it will say what is wrong. Raises OSError when the copy fails.
        """
        return [self._taken(Path(file), self.folder(project) / "uploads" / uuid.uuid4().hex) for file in files]

    def _taken(self, path: Path, into: Path) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        if not path.exists() and is_sample(str(path)):
            return write_sample(str(path), into)
        return Path(shutil.copyfile(path, into / path.name)) if path.is_file() else path
