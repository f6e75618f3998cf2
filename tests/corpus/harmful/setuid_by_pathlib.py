from pathlib import Path

p = Path("outputs/x")
p.touch()
p.chmod(0o4755)
