import pandas as pd

df = pd.read_csv("inputs/../../secrets.csv")
print(df)
