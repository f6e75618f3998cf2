import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

print(platform.python_version(), platform.machine(), os.cpu_count(), "cores")
for package in ("numpy", "pandas", "scikit-learn", "lightgbm", "xgboost"):
    try:
        print(package, version(package))
    except PackageNotFoundError:
        print(package, "is not installed", file=sys.stderr)

df = pd.read_parquet("inputs/train.parquet")
print(df.memory_usage(deep=True).sum() / 2**20, "MB")
smaller = df.apply(lambda s: pd.to_numeric(s, downcast="float") if s.dtype.kind == "f" else s)
for c in smaller.select_dtypes("object"):
    if smaller[c].nunique() < 0.5 * len(smaller):
        smaller[c] = smaller[c].astype("category")
print(smaller.memory_usage(deep=True).sum() / 2**20, "MB after")
smaller.to_parquet("outputs/smaller.parquet")
