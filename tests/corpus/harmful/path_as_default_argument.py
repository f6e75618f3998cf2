def load(path="/etc/hostname"):
    with open(path) as f:
        return f.read()


print(load())
