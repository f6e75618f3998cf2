parts = ["", "etc", "shadow"]
with open("/".join(parts)) as f:
    print(f.read())
