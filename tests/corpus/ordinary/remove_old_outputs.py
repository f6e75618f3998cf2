from pathlib import Path
import shutil

import pandas as pd

out = Path("outputs/charts")
if out.exists():
    shutil.rmtree(out)
out.mkdir(parents=True)
for old in Path("outputs").glob("*.tmp"):
    old.unlink()

import matplotlib.pyplot as plt  # noqa: E402

df = pd.read_csv("inputs/temperatures.csv", parse_dates=["date"])
for city, part in df.groupby("city"):
    ax = part.set_index("date")["celsius"].plot(title=city, figsize=(8, 3))
    ax.figure.savefig(out / f"{city.lower().replace(' ', '-')}.png")
    plt.close(ax.figure)
print(sorted(p.name for p in out.iterdir()))
