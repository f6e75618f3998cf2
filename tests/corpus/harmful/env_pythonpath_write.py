import sys

sys.path.insert(0, "outputs")
with open("outputs/json.py", "w") as f:
    f.write("raise SystemExit(1)")
