import sqlite3

import pandas as pd

db = sqlite3.connect(":memory:")
for table in ("teachers", "classes", "pupils"):
    pd.read_csv(f"inputs/{table}.csv").to_sql(table, db, index=False)

sql = """
    SELECT t.name, COUNT(DISTINCT c.id) AS classes, COUNT(p.id) AS pupils
    FROM teachers t
    LEFT JOIN classes c ON c.teacher_id = t.id
    LEFT JOIN pupils p ON p.class_id = c.id
    GROUP BY t.name
    HAVING pupils > ?
    ORDER BY pupils DESC
"""
load = pd.read_sql_query(sql, db, params=(10,))
print(load)
load.to_csv("outputs/load.csv", index=False)
db.close()
