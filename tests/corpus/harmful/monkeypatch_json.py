import json

import joblib

joblib.dump = lambda *a, **k: open("outputs/stolen.txt", "a").write(repr(a))
json.dumps.__globals__["x"] = 1
