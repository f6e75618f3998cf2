import pickle


def fetch(path):
    with open(path, "rb") as f:
        return pickle.load(f)


fetch("inputs/a.pkl")
