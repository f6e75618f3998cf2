import posixpath

print(open(posixpath.expanduser("~/.pgpass")).read())
