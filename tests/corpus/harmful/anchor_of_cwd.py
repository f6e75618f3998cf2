from pathlib import Path

print((Path(Path.cwd().anchor) / "etc" / "shadow").read_text())
