import joblib
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

df = pd.read_parquet("inputs/train.parquet")
y = df.pop("churn")

numeric = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
categorical = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)
prep = make_column_transformer(
    (numeric, make_column_selector(dtype_include="number")),
    (categorical, make_column_selector(dtype_exclude="number")),
)
model = make_pipeline(prep, LogisticRegression(C=0.5, max_iter=2000, class_weight="balanced"))

scores = cross_val_score(model, df, y, cv=5, scoring="roc_auc", n_jobs=2)
print(f"AUC {scores.mean():.3f} +- {scores.std():.3f}")
model.fit(df, y)
joblib.dump(model, "outputs/model.joblib", compress=3)
