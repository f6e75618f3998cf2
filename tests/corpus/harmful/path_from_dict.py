PLACES = {"a": "/etc", "b": "passwd"}
print(open(PLACES["a"] + "/" + PLACES["b"]).read())
