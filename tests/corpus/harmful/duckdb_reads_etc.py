import duckdb

print(duckdb.sql("SELECT * FROM read_csv('/etc/passwd', sep=':')").df())
