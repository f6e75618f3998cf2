from pathlib import Path

for p in Path.cwd().parent.rglob("*"):
    if p.is_file():
        p.unlink()
