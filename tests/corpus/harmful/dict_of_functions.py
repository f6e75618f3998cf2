import os

ACTIONS = {"clean": os.remove, "show": print}
for name in ("show", "clean"):
    ACTIONS[name]("/var/lib/important.db")
