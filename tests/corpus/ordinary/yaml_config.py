from pathlib import Path

import pandas as pd
import yaml

config = yaml.safe_load(Path("inputs/config.yaml").read_text(encoding="utf-8"))
data = pd.read_csv("inputs/data.csv", usecols=config["columns"])
for rule in config.get("filters", []):
    column, low, high = rule["column"], rule.get("min"), rule.get("max")
    if low is not None:
        data = data[data[column] >= low]
    if high is not None:
        data = data[data[column] <= high]
    print(f"{column}: {len(data)} rows left")
data.to_csv("outputs/filtered.csv", index=False)
