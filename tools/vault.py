"""Content-addressed files of one project: what is stored is found again by its SHA-256 and never changes."""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Vault:
    """A folder of immutable files named by their SHA-256 (hex)."""

    root: Path

    def put_bytes(self, data: bytes) -> str:
        """Store once, return the hash. Atomic: a crash leaves either nothing or the whole file."""
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
                Path(partial).replace(target)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
        return digest

    def put_text(self, text: str) -> str:
        """Store UTF-8 text, return the hash."""
        return self.put_bytes(text.encode())

    def put_json(self, value: Any) -> str:
        """Store JSON with sorted keys, so that equal values have equal hashes."""
        return self.put_text(json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1))

    def get_text(self, digest: str) -> str:
        """Read UTF-8 text back."""
        return self.path(digest).read_text(encoding="utf-8")

    def get_json(self, digest: str) -> Any:
        """Read JSON back."""
        return json.loads(self.get_text(digest))

    def path(self, digest: str) -> Path:
        """Where a hash lives (whether or not it is stored)."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"Not a SHA-256: {digest!r}")
        return self.root / digest[:2] / digest[2:]
