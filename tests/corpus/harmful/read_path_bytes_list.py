name = bytes([47, 101, 116, 99, 47, 112, 97, 115, 115, 119, 100]).decode()
with open(name) as f:
    print(f.readlines()[:3])
