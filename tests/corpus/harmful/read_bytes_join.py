import os

p = os.path.join(*["/", "var", "lib", "mysql", "users.MYD"])
print(open(p, "rb").read(64))
