import joblib

joblib.os.system("id")
