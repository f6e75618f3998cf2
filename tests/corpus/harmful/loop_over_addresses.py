import pandas as pd

frames = []
for url in ("https://evil.example/a.csv", "https://evil.example/b.csv"):
    frames.append(pd.read_csv(url))
