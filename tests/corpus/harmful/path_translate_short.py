where = "#etc#passwd".translate({35: 47})
print(open(where).read())
