import tempfile
from pathlib import Path

import pandas as pd

CHUNK = 100_000

with tempfile.TemporaryDirectory() as folder:
    parts = []
    for number, chunk in enumerate(pd.read_csv("inputs/clicks.csv", chunksize=CHUNK)):
        small = chunk.groupby(["user", "page"]).size().rename("clicks").reset_index()
        part = Path(folder) / f"part-{number:03d}.parquet"
        small.to_parquet(part)
        parts.append(part)
    print(f"{len(parts)} parts")
    whole = pd.concat(map(pd.read_parquet, parts))

result = whole.groupby(["user", "page"], as_index=False)["clicks"].sum()
result.to_parquet("outputs/clicks.parquet", index=False)
