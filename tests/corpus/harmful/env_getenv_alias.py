from os import getenv as g

print(g("AWS_SECRET_ACCESS_KEY"))
