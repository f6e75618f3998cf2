import polars as pl

trips = pl.scan_parquet("inputs/trips.parquet")

result = (
    trips.filter(pl.col("distance_km") > 0)
    .with_columns(
        (pl.col("distance_km") / (pl.col("minutes") / 60)).alias("kmh"),
        pl.col("started").dt.hour().alias("hour"),
    )
    .filter(pl.col("kmh").is_between(1, 130))
    .group_by("hour", "vehicle")
    .agg(pl.len().alias("trips"), pl.col("kmh").median().alias("median_kmh"), pl.col("fare").sum())
    .sort("hour", "vehicle")
    .collect()
)
print(result)
result.write_parquet("outputs/speed_by_hour.parquet")
result.pivot(on="vehicle", index="hour", values="median_kmh").write_csv("outputs/speed_wide.csv")
