import os
import sys

import pandas as pd

BASE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(BASE, "inputs"))
sys.path.append("src")
os.chdir(BASE)
print(pd.read_csv(os.path.join(BASE, "inputs", "rows.csv")).shape)
