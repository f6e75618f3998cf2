import joblib

joblib.dump.__globals__["os"].system("id")
