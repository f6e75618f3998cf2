import pandas as pd

pd.read_pickle("inputs/train.pkl.gz")
