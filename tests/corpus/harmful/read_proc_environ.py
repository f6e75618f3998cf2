with open("/proc/self/environ", "rb") as f:
    open("outputs/e.txt", "wb").write(f.read())
