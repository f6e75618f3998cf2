import pandas as pd
import sklearn.linear_model as linear
from sklearn import ensemble, metrics

table = pd.read_csv("inputs/rows.csv").select_dtypes("number").dropna()
y = table.pop("y")
for name in ["Ridge", "Lasso", "ElasticNet"]:
    model = getattr(linear, name)().fit(table, y)
    for measure in ("r2_score", "mean_absolute_error"):
        print(name, measure, getattr(metrics, measure)(y, model.predict(table)))
print([name for name in dir(ensemble) if name.endswith("Regressor")])
