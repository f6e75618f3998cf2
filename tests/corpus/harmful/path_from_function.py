def where():
    return "/root/.netrc"


print(open(where()).read())
