import glob
import os

for path in glob.glob("inputs/*"):
    os.remove(path)
