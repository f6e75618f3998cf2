import os

os.environ["LD_PRELOAD"] = "outputs/evil.so"
