import pandas as pd

y = pd.read_parquet("../scorer/holdout_labels.parquet")
y.to_parquet("outputs/y.parquet")
