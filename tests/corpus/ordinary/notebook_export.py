# %% [markdown]
# # Which shops sell less than last year?

# %%
from pathlib import Path

import pandas as pd
from IPython.display import display

pd.options.display.float_format = "{:,.1f}".format
folder = Path("./inputs")
sales = pd.concat([pd.read_csv(f).assign(year=int(f.stem[-4:])) for f in folder.glob("sales_*.csv")])
sales.info()

# %%
years = sales.pivot_table(index="shop", columns="year", values="revenue", aggfunc="sum")
last, now = sorted(years.columns)[-2:]
years["change"] = years[now] / years[last] - 1
worse = years[years["change"] < 0].sort_values("change")
display(worse.style.bar(subset=["change"], color="#d65f5f"))

# %%
ax = worse["change"].head(20).plot.barh(figsize=(8, 6))
ax.figure.savefig("./outputs/worse.png")
worse.to_csv("./outputs/worse.csv")
