import pandas as pd

reader = pd.io.pickle
reader.read_pickle("inputs/a.pkl")
