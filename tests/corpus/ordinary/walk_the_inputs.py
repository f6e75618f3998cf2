import os
import sys

import pandas as pd

total = 0
found = []
for folder, _, names in os.walk("inputs"):
    for name in sorted(names):
        path = os.path.join(folder, name)
        size = os.stat(path).st_size
        total += size
        found.append({"folder": os.path.relpath(folder, "inputs"), "file": name, "bytes": size})
if not found:
    sys.exit("inputs/ is empty")
overview = pd.DataFrame(found)
overview["kind"] = overview["file"].str.extract(r"\.(\w+)$", expand=False).str.lower()
print(overview.groupby("kind")["bytes"].agg(["count", "sum"]))
print(f"{total / 1e6:.1f} MB in all", file=sys.stderr)
overview.to_csv("outputs/overview.csv", index=False)
