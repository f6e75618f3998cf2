import os

e = os.environ.copy()
open("outputs/e.json", "w").write(str(e))
