from sklearn.utils import _joblib

_joblib.joblib.load("inputs/a.joblib")
