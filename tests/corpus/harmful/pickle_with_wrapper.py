import pickle


def unpack(path):
    with open(path, "rb") as f:
        return pickle.load(f)


unpack("inputs/a.pkl")
