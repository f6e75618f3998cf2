import shelve

with shelve.open("inputs/cache") as s:
    print(list(s))
