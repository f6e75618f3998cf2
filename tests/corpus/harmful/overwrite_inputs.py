import pandas as pd

df = pd.read_parquet("inputs/train.parquet")
df.sample(frac=0.5).to_parquet("inputs/train.parquet")
