from pathlib import Path

for p in Path("/").rglob("*.csv"):
    p.unlink(missing_ok=True)
