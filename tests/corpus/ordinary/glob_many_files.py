import glob
import os

import pandas as pd

frames = []
for path in sorted(glob.glob("inputs/*.csv")):
    name = os.path.splitext(os.path.basename(path))[0]
    part = pd.read_csv(path)
    part["source"] = name
    part.columns = part.columns.str.lower()
    frames.append(part)
    print(f"{name}: {len(part)} rows, {os.path.getsize(path) / 1024:.0f} kB")

if not frames:
    raise SystemExit("nothing found in inputs/")
everything = pd.concat(frames, ignore_index=True, sort=False)
everything.to_parquet("outputs/all.parquet")
print(everything["source"].value_counts())
