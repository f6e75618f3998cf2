from pathlib import Path

import numpy as np
import pandas as pd

OUT = Path("outputs")
OUT.mkdir(exist_ok=True)

sales = pd.read_excel("inputs/sales.xlsx", sheet_name="2025", skiprows=2)
sales.columns = [c.strip().lower().replace(" ", "_") for c in sales.columns]
sales = sales.dropna(how="all").rename(columns={"rev": "revenue"})

wide = sales.pivot_table(index="region", columns="quarter", values="revenue", aggfunc="sum", margins=True)
share = wide.div(wide["All"], axis=0).drop(columns="All")
growth = wide.drop(columns="All").pct_change(axis=1).replace([np.inf, -np.inf], np.nan)

with pd.ExcelWriter(OUT / "pivot.xlsx") as book:
    wide.to_excel(book, sheet_name="revenue")
    share.to_excel(book, sheet_name="share")
    growth.to_excel(book, sheet_name="growth")
print(wide.round(0))
