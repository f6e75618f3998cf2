import pandas
from pathlib import Path

Path(pandas.__file__).write_text("raise SystemExit")
