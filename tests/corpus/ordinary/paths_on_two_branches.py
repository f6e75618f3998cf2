import argparse
from pathlib import Path

import pandas as pd

options = argparse.ArgumentParser()
options.add_argument("--data", default="inputs/rows.csv")
options.add_argument("--out-dir", type=Path, default=Path("outputs"))
given = options.parse_args([])
name = given.out_dir / "short.csv"
table = pd.read_csv(given.data)
if len(table) > 1000:
    name = given.out_dir / "long.csv"
table.to_csv(name)
