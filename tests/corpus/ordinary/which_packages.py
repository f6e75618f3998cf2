import importlib
import sys

import numpy
import pandas

for module in (numpy, pandas):
    print(module.__name__, module.__version__)
for name in ("lightgbm", "xgboost", "catboost"):
    try:
        print(name, importlib.import_module(name).__version__)
    except ImportError:
        print(name, "is missing")
if "google.colab" in sys.modules:
    print("in a notebook on the web")
print(pandas.__file__, sys.path)
