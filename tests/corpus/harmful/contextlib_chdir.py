import contextlib

with contextlib.chdir("/"):
    print(open("etc/passwd").read())
