from dataclasses import dataclass
from pathlib import Path


@dataclass
class Config:
    source: Path = Path("/var/spool/mail/ann")


print(Config().source.read_text())
