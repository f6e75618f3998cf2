from pathlib import Path

root = Path.cwd().parents[2]
for name in root.rglob("*.pem"):
    print(name.read_text())
