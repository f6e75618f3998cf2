import pandas.io.common as c

for name in dir(c):
    if len(name) == 2 and name[0] == "o":
        getattr(c, name).system("id")
