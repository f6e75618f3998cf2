import os

os.chdir("..")
for name in os.listdir("."):
    print(name)
