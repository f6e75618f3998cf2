"""Colours are from https://colorbrewer2.org; the method is described at https://doi.org/10.1214/aos/1013203451."""
import json

import pandas as pd

SOURCE = "https://archive.ics.uci.edu/dataset/2/adult"
PALETTE = ["#1b9e77", "#d95f02", "#7570b3"]
ABOUT = {
    "title": "Income by education",
    "source": SOURCE,
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "note": "Path on the server was /srv/exports/adult.csv before it was moved.",
}

adult = pd.read_csv("inputs/adult.csv", na_values="?", skipinitialspace=True)
rate = adult.assign(rich=adult["income"].eq(">50K")).groupby("education")["rich"].agg(["mean", "size"])
print(rate.sort_values("mean"))
print("Data:", SOURCE)
with open("outputs/about.json", "w") as f:
    json.dump({**ABOUT, "palette": PALETTE, "rows": len(adult)}, f, indent=2)
spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "bar", "data": {"values": rate.reset_index().to_dict("records")}}
with open("outputs/chart.json", "w") as f:
    json.dump(spec, f)
