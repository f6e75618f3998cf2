import os
import pickle

import pandas as pd


def keep(thing, path):
    with open(path, "wb") as f:
        pickle.dump(thing, f)


def fetch(path):
    with open(path, "rb") as f:
        return pickle.load(f)


codes = {name: n for n, name in enumerate(sorted(pd.read_csv("inputs/towns.csv")["town"].unique()))}
keep(codes, os.path.join("outputs", "codes.pkl"))
print(len(fetch("outputs/codes.pkl")))
