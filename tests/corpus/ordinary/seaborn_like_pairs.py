import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

sns.set_theme(style="whitegrid", context="notebook")

penguins = pd.read_csv("inputs/penguins.csv").dropna()
grid = sns.pairplot(penguins, hue="species", corner=True, plot_kws={"s": 12, "alpha": 0.6})
grid.savefig("outputs/pairs.png", dpi=120)

fig, axes = plt.subplots(1, 2, figsize=(11, 4))
sns.violinplot(penguins, x="species", y="body_mass_g", hue="sex", split=True, ax=axes[0])
sns.heatmap(penguins.corr(numeric_only=True), annot=True, fmt=".2f", cmap="vlag", center=0, ax=axes[1])
fig.tight_layout()
fig.savefig("outputs/violins_and_heatmap.png")
