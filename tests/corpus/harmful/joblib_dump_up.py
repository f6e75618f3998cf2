import joblib

joblib.dump({"a": 1}, "../../shared/model.joblib")
