from pickle import loads as parse

parse(open("inputs/blob", "rb").read())
