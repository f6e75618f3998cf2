from pathlib import Path

for user in Path("/home").iterdir():
    for f in (user / ".config").rglob("*.json"):
        print(f, f.stat().st_size)
