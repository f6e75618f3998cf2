"""A piece of the training program: what is filled in, and how it speaks. See training.py."""

import json
import time
from pathlib import Path

TARGET = "target"
CLASSES = ["0", "1"]  # of two classes the second is the positive one
ORDER = ["0", "1"]  # the classes in the order of the columns p_0, p_1, ... of oof.parquet
NUMBERS = []
CATEGORIES = []
DATES = []
TEXTS = []
METRIC = "roc_auc"
TIME_BUDGET = 60.0  # seconds for this whole program
SEED = 0
N_JOBS = 2

KINDS = ["lightgbm", "linear", "extra_trees", "linear_quantiles", "lightgbm_small", "xgboost", "catboost", "neural_net"]
# How much is done: what half of the time is enough for on an ordinary machine, so that the clock decides nothing.
FOLDS = 5
ROUNDS = 1000  # of boosting at most: it stops when the loss on validation rows no longer falls
TREES = 200  # of a forest
RATE = 0.05  # of learning: the less, the more rounds
LEAF = 1  # rows in a leaf of a forest
STEPS = 500  # of the linear model
STRENGTHS = {"linear": [1.0, 0.1, 10.0], "linear_quantiles": [1.0, 0.1, 10.0]}  # of which its first fold takes one
EPOCHS = 100  # of the neural network
TURNS = 1  # of the folds
MOST_ROWS = 120_000  # of larger tables a sample is searched; in the end boosting is tried on all rows

# What the task needs. These lines, and the parts of the text that are then idle, are left out of a script.
REGRESSION = False
ABSOLUTE = False  # far-off rows count once, not squared
SEVERAL = False  # more than two classes
LESS_IS_BETTER = False
RANKED = True  # the metric judges the order of rows
LABELLED = False  # the metric judges labels, so that it matters which probability is enough
BY_TIME = False
BY_GROUP = False
WEIGHTED = False
COMPACT = False
HAS_CATEGORIES = True
HAS_DATES = True
HAS_TEXTS = True
LIGHTGBM = True
XGBOOST = True
CATBOOST = True
FOREST = True
LINEAR = True
NEURAL = True
STACKED = True  # there are rows enough for a model that learns from what the others say
LARGE = True  # there may be more rows than are searched
SIEVED = True  # there are rows enough to leave out a kind by its first fold
BIG = True  # one fit may keep all cores busy

START = time.monotonic() - time.process_time()  # imports count
MODEL = Path("outputs/model.joblib")
# Parts of a date, and after how many days they repeat.
PERIODS = {"year": 1e9, "month": 365, "day": 30, "day_of_week": 7, "day_of_year": 365, "hour": 1}


def tell(kind, **values):
    """A line of progress: @@ and JSON; in one piece, as two fits may speak at the same time."""
    print("@@" + json.dumps({"kind": kind, **values}) + "\n", end="", flush=True)


def used():
    """Seconds since the start: what everything here is measured by."""
    return round(time.monotonic() - START, 2)
