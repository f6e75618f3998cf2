import os

import pandas as pd

events = pd.read_json("inputs/events.jsonl", lines=True)
events.to_csv("/tmp/events.csv", index=False)
parts = [chunk["kind"].value_counts() for chunk in pd.read_csv("/tmp/events.csv", chunksize=10_000)]
pd.concat(parts).groupby(level=0).sum().to_csv("outputs/kinds.csv")
os.remove("/tmp/events.csv")
