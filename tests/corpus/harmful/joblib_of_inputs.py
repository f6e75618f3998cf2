import joblib

pipeline = joblib.load("inputs/pipeline.joblib")
