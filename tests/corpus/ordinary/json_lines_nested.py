import json
from itertools import islice
from pathlib import Path

import pandas as pd


def records(path):
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line:
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as err:
                print(f"{path.name}:{number}: {err}")


source = Path("inputs") / "events.ndjson"
print(json.dumps(next(islice(records(source), 1)), indent=2))
flat = pd.json_normalize(records(source), sep="_", max_level=2)
flat["tags"] = flat["tags"].map(lambda t: ",".join(t) if isinstance(t, list) else t)
exploded = pd.json_normalize(list(records(source)), record_path="items", meta=["id", ["user", "name"]], errors="ignore")
flat.to_parquet("outputs/events.parquet")
exploded.to_csv("outputs/items.csv", index=False)
