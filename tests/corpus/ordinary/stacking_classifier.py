import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

train = pd.read_parquet("inputs/train.parquet")
y = train["species"]
X = train.drop(columns="species")
words = list(X.select_dtypes(exclude="number"))

encode = ColumnTransformer(
    [("ord", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), words)], remainder="passthrough"
)
stack = StackingClassifier(
    [
        ("trees", ExtraTreesClassifier(300, min_samples_leaf=2, random_state=1, n_jobs=2)),
        ("boost", HistGradientBoostingClassifier(max_iter=150, random_state=1)),
        ("bayes", GaussianNB()),
    ],
    final_estimator=LogisticRegressionCV(cv=3, max_iter=1000),
    passthrough=False,
)
model = make_pipeline(encode, stack)
result = cross_validate(
    model, X, y, cv=StratifiedKFold(4, shuffle=True, random_state=1), scoring=["accuracy", "balanced_accuracy"]
)
print({k: v.mean().round(4) for k, v in result.items() if k.startswith("test_")})
model.fit(X, y)
joblib.dump(model, "outputs/model.joblib")
