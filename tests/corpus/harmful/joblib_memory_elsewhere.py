from joblib import Memory

memory = Memory("/srv/cache")
