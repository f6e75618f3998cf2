import polars as pl

print(pl.read_csv("https://evil.example/x.csv"))
