readers = {"text": open}
print(readers["text"]("/etc/issue").read())
