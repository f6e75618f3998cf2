settings = {}
settings["in"] = "/root/.pgpass"
print(open(settings["in"]).read())
