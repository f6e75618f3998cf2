import cloudpickle

cloudpickle.load(open("inputs/model.pkl", "rb"))
