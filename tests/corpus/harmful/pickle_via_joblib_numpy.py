from joblib.numpy_pickle import load as bring

bring("inputs/a.joblib")
