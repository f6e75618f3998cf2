"""A piece of the training program: what is filled in, and how it speaks. See training.py."""

import json
import time
from pathlib import Path

import numpy as np

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

# What the task needs. These lines, and the parts of the text that are then idle, are left out of a script.
REGRESSION = False
ABSOLUTE = False  # far-off rows count once, not squared
SEVERAL = False  # more than two classes
RANKED = True  # the metric judges the order of rows
CHANCES = False  # the metric judges probabilities
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
STACKED = True  # there may be rows enough for a model that learns from what the others say
TREES = True  # some of the kinds want one matrix
LARGE = True  # there may be more rows than are searched
BIG = True  # one fit may keep all cores busy
FEW = True  # one turn of folds may be too few

START = time.monotonic()
MODEL = Path("outputs/model.joblib")
MOST_ROWS = 120_000  # of larger tables a sample is searched; in the end boosting is tried on all rows
# Parts of a date, and after how many days they repeat.
PERIODS = {"year": np.inf, "month": 365, "day": 30, "day_of_week": 7, "day_of_year": 365, "hour": 1}


def tell(kind, **values):
    """A line of progress: @@ and JSON; in one piece, as two fits may speak at the same time."""
    print("@@" + json.dumps({"kind": kind, **values}) + "\n", end="", flush=True)


def used():
    """Seconds since the start: what everything here is measured by."""
    return round(time.monotonic() - START, 2)
