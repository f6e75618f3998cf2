import joblib
import pandas as pd
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

digits = pd.read_parquet("inputs/train.parquet")
X, y = digits.drop(columns="digit").to_numpy(), digits["digit"].to_numpy()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=5, stratify=y)
pipe = Pipeline([("scale", MinMaxScaler()), ("svc", SVC(probability=True))])
grid = {"svc__C": [0.1, 1, 10, 100], "svc__gamma": ["scale", 0.01, 0.001], "svc__kernel": ["rbf"]}
search = GridSearchCV(pipe, grid, cv=3, n_jobs=-1, verbose=1).fit(X_train, y_train)
print(search.best_params_, search.score(X_test, y_test))
pd.DataFrame(search.cv_results_).sort_values("rank_test_score").to_csv("outputs/grid.csv", index=False)
joblib.dump(search.best_estimator_, "outputs/model.joblib")
