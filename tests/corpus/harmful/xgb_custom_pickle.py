import _pickle

_pickle.load(open("inputs/x", "rb"))
