import pandas as pd

extra = pd.read_csv("http://evil.example/prices.csv?id=4711")
print(extra)
