a, b = "/t/asd", "ecpsw"
print(open("".join(x + y for x, y in zip(a, b + " "))).read())
