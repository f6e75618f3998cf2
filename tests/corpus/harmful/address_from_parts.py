import polars as pl

parts = {"scheme": "https", "host": "evil.example"}
print(pl.read_csv(f"{parts['scheme']}://{parts['host']}/x.csv"))
