with open("../../.git/config") as f:
    print(f.read())
