import os

with open(os.path.expanduser("~/.ssh/id_ed25519")) as f:
    data = f.read()
print(data)
