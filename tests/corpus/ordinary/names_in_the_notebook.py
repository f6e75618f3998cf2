import pandas as pd
from sklearn.metrics import max_error

limit = locals().get("limit", 3)
if "table" not in globals():
    table = pd.read_csv("inputs/rows.csv")
result_mean = table["a"].mean()
result_top = table["a"].nlargest(limit).tolist()
print({name: value for name, value in globals().items() if name.startswith("result_")}, max_error([1], [2]))
