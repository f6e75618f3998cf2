import os

open("outputs/a", "w").close()
os.rename("outputs/a", "../a")
