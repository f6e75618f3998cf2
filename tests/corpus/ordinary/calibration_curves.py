import matplotlib.pyplot as plt
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB

df = pd.read_csv("inputs/loans.csv")
X = df[["income", "amount", "term", "age"]].fillna(0)
y = df["defaulted"].map({"no": 0, "yes": 1})
parts = train_test_split(X, y, test_size=0.4, random_state=8)
X_train, X_test, y_train, y_test = parts

fig, ax = plt.subplots(figsize=(6, 6))
for name, estimator in {
    "bayes": GaussianNB(),
    "bayes, isotonic": CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=3),
    "forest": RandomForestClassifier(200, random_state=0),
}.items():
    estimator.fit(X_train, y_train)
    p = estimator.predict_proba(X_test)[:, 1]
    print(f"{name:18s} Brier {brier_score_loss(y_test, p):.4f}")
    CalibrationDisplay.from_predictions(y_test, p, n_bins=10, name=name, ax=ax)
fig.savefig("outputs/calibration.png")
