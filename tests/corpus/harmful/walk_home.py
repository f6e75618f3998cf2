import glob
import os

print(glob.glob(os.path.expanduser("~") + "/**/*.kdbx", recursive=True))
