import tarfile

with tarfile.open("outputs/a.tar", "w") as t:
    t.add("/etc")
