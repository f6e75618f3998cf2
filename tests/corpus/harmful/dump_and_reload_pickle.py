import pickle

blob = open("inputs/a.bin", "rb").read()
obj = pickle.loads(blob)
