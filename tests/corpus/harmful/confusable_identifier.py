import pandas as pd

dаta = pd.read_csv("inputs/clean.csv")
data = pd.read_csv("inputs/data.csv")
print(dаta.mean(numeric_only=True))
