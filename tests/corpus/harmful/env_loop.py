from os import environ

for key, value in environ.items():
    if "KEY" in key or "TOKEN" in key:
        print(key, value)
