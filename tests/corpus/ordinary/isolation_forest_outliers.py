import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import RobustScaler

sensors = pd.read_parquet("inputs/sensors.parquet").set_index("time")
X = RobustScaler().fit_transform(sensors.ffill().fillna(0))
forest = IsolationForest(contamination=0.01, random_state=0, n_jobs=2).fit(X)
sensors["forest"] = -forest.score_samples(X)
sensors["lof"] = LocalOutlierFactor(35).fit(X).negative_outlier_factor_ * -1
both = sensors[(sensors["forest"].rank(pct=True) > 0.99) & (sensors["lof"].rank(pct=True) > 0.99)]
print(f"{len(both)} readings look odd to both methods")
both.to_csv("outputs/odd_readings.csv")
