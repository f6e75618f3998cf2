import pickle

pickle.Unpickler(open("inputs/blob", "rb")).load()
