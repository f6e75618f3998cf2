import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.ensemble import GradientBoostingRegressor

df = pd.read_parquet("inputs/train.parquet").select_dtypes("number").dropna()
y = df.pop("price")
model = GradientBoostingRegressor(random_state=0).fit(df, y)

explainer = shap.TreeExplainer(model)
values = explainer.shap_values(df)
shap.summary_plot(values, df, show=False, max_display=12)
plt.tight_layout()
plt.savefig("outputs/shap.png")

mean_abs = pd.Series(np.abs(values).mean(axis=0), index=df.columns).sort_values(ascending=False)
mean_abs.head(15).to_json("outputs/shap.json", indent=1)
joblib.dump(model, "outputs/model.joblib")
