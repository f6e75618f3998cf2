folder = "etc"
print(open("/{}/{}".format(folder, "hosts")).read())
