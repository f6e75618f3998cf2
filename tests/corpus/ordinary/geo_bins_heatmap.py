import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter
from scipy.ndimage import gaussian_filter

pickups = pd.read_parquet("inputs/pickups.parquet", columns=["lon", "lat"])
low, high = pickups.quantile(0.005), pickups.quantile(0.995)
box = pickups[(pickups > low).all(axis=1) & (pickups < high).all(axis=1)]
counts, xedges, yedges = np.histogram2d(box["lon"], box["lat"], bins=300)

plt.style.use("dark_background")
fig, ax = plt.subplots(figsize=(9, 9))
ax.imshow(gaussian_filter(counts.T, 1) + 1, origin="lower", norm=LogNorm(), extent=[*xedges[[0, -1]], *yedges[[0, -1]]])
ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.2f}°"))
ax.set_axis_off()
fig.savefig("outputs/pickups.png", dpi=200, bbox_inches="tight", pad_inches=0)
busiest = np.unravel_index(counts.argmax(), counts.shape)
print("busiest cell", xedges[busiest[0]].round(4), yedges[busiest[1]].round(4), int(counts.max()))
