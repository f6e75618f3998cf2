import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

demand = pd.read_csv("inputs/demand.csv", index_col="time", parse_dates=True)["mw"]
demand = demand[~demand.index.duplicated()].asfreq("h").interpolate(limit=3)

daily = demand.resample("D").agg(["mean", "min", "max"])
weekly = demand.resample("W").mean()
rolling = demand.rolling("30D").mean()

fig, (top, bottom) = plt.subplots(2, 1, figsize=(10, 7), sharex=True)
top.plot(daily.index, daily["mean"], lw=0.7, color="0.6", label="daily mean")
top.plot(rolling.index, rolling, color="C3", label="30 days")
top.legend()
bottom.fill_between(daily.index, daily["min"], daily["max"], alpha=0.4)
bottom.set_ylabel("MW")
fig.tight_layout()
fig.savefig("outputs/demand.png", dpi=150)

print(weekly.describe())
print(demand.groupby(demand.index.hour).mean().round(1))
