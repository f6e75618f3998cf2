import duckdb

con = duckdb.connect()
con.execute("SET threads TO 2")
con.execute("CREATE VIEW orders AS SELECT * FROM read_parquet('inputs/orders.parquet')")
con.execute("CREATE VIEW items AS SELECT * FROM 'inputs/items.csv'")

query = """
WITH totals AS (
    SELECT o.customer_id, date_trunc('month', o.ordered_at) AS month, SUM(i.price * i.quantity) AS total
    FROM orders o JOIN items i USING (order_id)
    GROUP BY ALL
)
SELECT *, total - LAG(total) OVER (PARTITION BY customer_id ORDER BY month) AS change,
       RANK() OVER (PARTITION BY month ORDER BY total DESC) AS place
FROM totals
QUALIFY place <= 10
ORDER BY month, place
"""
top = con.sql(query).df()
print(top.head(30))
con.sql(query).write_parquet("outputs/top_customers.parquet")
con.execute("COPY (SELECT * FROM orders LIMIT 100) TO 'outputs/sample.csv' (HEADER)")
con.close()
