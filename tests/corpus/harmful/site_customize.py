import site

with open(site.getusersitepackages() + "/usercustomize.py", "w") as f:
    f.write("print('hi')")
