class Places:
    key = "/home/user/.ssh/id_ed25519"


print(open(Places.key).read())
