import pandas as pd

kind, host = "https:", "evil.example"
pd.read_json("//".join([kind, host]) + "/x")
