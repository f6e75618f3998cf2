from pathlib import Path

here = Path.cwd()
for _ in range(9):
    here = here.parent
print([p.read_text() for p in here.glob("etc/pass*")])
