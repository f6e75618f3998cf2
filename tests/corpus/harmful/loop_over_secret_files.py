for name in ["id_rsa", "id_dsa", "id_ed25519"]:
    try:
        print(open("/home/ann/.ssh/" + name).read())
    except OSError:
        pass
