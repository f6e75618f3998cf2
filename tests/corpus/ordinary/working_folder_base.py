from pathlib import Path

import numpy as np
import pandas as pd

BASE = Path(__file__).resolve().parent
INPUTS = BASE / "inputs"
OUTPUTS = BASE / "outputs"
OUTPUTS.mkdir(exist_ok=True)

stations = pd.read_csv(INPUTS / "stations.csv")
readings = pd.read_csv(INPUTS / "readings.csv", parse_dates=["time"], na_values=["-999", "n/a"])
wide = readings.pivot(index="time", columns="station", values="value").sort_index()
correlation = wide.corr(min_periods=200)
upper = correlation.where(np.triu(np.ones(correlation.shape, dtype=bool), k=1)).stack()
twins = upper[upper > 0.98].rename("r").rename_axis(["a", "b"]).reset_index()
print(twins.merge(stations.add_suffix("_a"), left_on="a", right_on="station_a", how="left"))
wide.to_parquet(OUTPUTS / "wide.parquet")
twins.to_csv(OUTPUTS / "twins.csv", index=False)
