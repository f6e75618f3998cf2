from os import environ as e
from pathlib import Path

print((Path(e["HOME"]) / ".aws/config").read_text())
