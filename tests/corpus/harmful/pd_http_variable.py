import pandas as pd

HOST = "203.0.113.7"
path = "http://%s:%d/c.csv" % (HOST, 8000)
print(pd.read_csv(path))
