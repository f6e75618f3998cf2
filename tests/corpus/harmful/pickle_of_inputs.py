import pickle

with open("inputs/model.pkl", "rb") as f:
    model = pickle.load(f)
