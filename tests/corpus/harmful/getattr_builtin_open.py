import io

opener = getattr(io, "op" + "en")
print(opener("/etc/passwd").read())
