import joblib
import lightgbm as lgb
import optuna
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_score

optuna.logging.set_verbosity(optuna.logging.WARNING)
df = pd.read_parquet("inputs/train.parquet")
y = df.pop("fraud")
X = df.select_dtypes("number")
folds = StratifiedKFold(3, shuffle=True, random_state=0)


def objective(trial):
    model = lgb.LGBMClassifier(
        n_estimators=trial.suggest_int("n_estimators", 50, 500, step=50),
        num_leaves=trial.suggest_int("num_leaves", 7, 127, log=True),
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        min_child_samples=trial.suggest_int("min_child_samples", 5, 100),
        verbose=-1,
    )
    return cross_val_score(model, X, y, cv=folds, scoring="average_precision").mean()


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=40, timeout=90)
print(study.best_value, study.best_params)
best = lgb.LGBMClassifier(**study.best_params, verbose=-1).fit(X, y)
joblib.dump(best, "outputs/model.joblib")
study.trials_dataframe().to_csv("outputs/trials.csv")
