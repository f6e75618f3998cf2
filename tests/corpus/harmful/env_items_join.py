import os

print("\n".join(f"{k}={v}" for k, v in os.environ.items()))
