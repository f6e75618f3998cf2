for fd in range(3, 64):
    try:
        with open(fd, "wb") as f:
            f.write(b"x")
    except OSError:
        pass
