from dataclasses import asdict, dataclass, field
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import RandomizedSearchCV
from scipy.stats import loguniform, randint


@dataclass
class Config:
    target: str = "load"
    folds: int = 4
    iterations: int = 15
    seed: int = 3
    space: dict = field(
        default_factory=lambda: {
            "learning_rate": loguniform(0.01, 0.3),
            "max_leaf_nodes": randint(8, 64),
            "l2_regularization": loguniform(1e-4, 10),
        }
    )


cfg = Config()
data = pd.read_parquet("inputs/train.parquet").select_dtypes("number")
X, y = data.drop(columns=cfg.target), data[cfg.target]
search = RandomizedSearchCV(
    HistGradientBoostingRegressor(early_stopping=True, random_state=cfg.seed),
    cfg.space, n_iter=cfg.iterations, cv=cfg.folds, scoring="neg_root_mean_squared_error", random_state=cfg.seed,
)
search.fit(X, y)
print("RMSE", -search.best_score_)
joblib.dump(search.best_estimator_, "outputs/model.joblib")
settings = asdict(cfg)
settings.pop("space")
Path("outputs/config.json").write_text(json.dumps({**settings, "best": search.best_params_}, default=float, indent=2))
