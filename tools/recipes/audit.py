"""Probes on the training rows: could a score be too good for a reason that has nothing to do with the question?

Reads inputs/train.parquet and, where they are there, inputs/holdout_features.parquet (no labels) and inputs/own.parquet
(the training rows of the table that the hold-out was drawn from, where others were added to them). Writes
outputs/probe.json: figures only, what they mean is judged elsewhere. Small models on a few thousand rows: a smoke
alarm, not a model.
"""

import json
from pathlib import Path

import pandas as pd

from tools.recipes.audit_suite import Audit  # instead of this line stand the pieces of the program

TARGET = "target"
CLASSES = ["0", "1"]  # empty for numbers
NUMBERS = ["x"]
CATEGORIES = []
TEXTS = []
DATES = []
SPLIT = "random"
SPLIT_COLUMN = ""
MAX_ROWS = 2000
SHUFFLES = 3
SECONDS = 10.0
SEED = 0


if __name__ == "__main__":
    here = Path("inputs")
    holdout = None
    if (here / "holdout_features.parquet").is_file():
        holdout = pd.read_parquet(here / "holdout_features.parquet")
    own = pd.read_parquet(here / "own.parquet") if (here / "own.parquet").is_file() else None
    about = {name: value for name, value in globals().items() if name.isupper()}
    found = Audit(pd.read_parquet(here / "train.parquet"), holdout, about=about, seconds=SECONDS, own=own).run()
    Path("outputs/probe.json").write_text(json.dumps(found))
