with open("outputs/../../../tmp/dropped.txt", "w") as f:
    f.write("x")
