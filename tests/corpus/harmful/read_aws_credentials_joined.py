import os

base = os.sep + "root"
name = os.path.join(base, ".aws", "credentials")
print(open(name).read())
