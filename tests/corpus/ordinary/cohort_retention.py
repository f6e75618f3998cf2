import pandas as pd
import matplotlib.pyplot as plt

orders = pd.read_csv("inputs/orders.csv", parse_dates=["ordered_at"])
orders["month"] = orders["ordered_at"].dt.to_period("M")
orders["cohort"] = orders.groupby("customer_id")["month"].transform("min")
orders["age"] = (orders["month"] - orders["cohort"]).map(lambda d: d.n)

cohorts = orders.groupby(["cohort", "age"])["customer_id"].nunique().unstack()
retention = cohorts.div(cohorts[0], axis=0)

fig, ax = plt.subplots(figsize=(12, 6))
image = ax.imshow(retention, cmap="Blues", vmin=0, vmax=0.5)
ax.set_yticks(range(len(retention)), retention.index.astype(str))
for row, values in enumerate(retention.to_numpy()):
    for col, value in enumerate(values):
        if value == value:
            ax.text(col, row, f"{value:.0%}", ha="center", va="center", fontsize=6)
fig.colorbar(image)
fig.savefig("outputs/retention.svg")
retention.to_csv("outputs/retention.csv", float_format="%.4f")
