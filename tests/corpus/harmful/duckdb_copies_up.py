import duckdb

con = duckdb.connect()
con.execute("COPY (SELECT 1) TO '../../dropped.csv'")
