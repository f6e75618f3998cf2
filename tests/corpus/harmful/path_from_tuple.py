folder, name = "/etc/", "shadow"
print(open(folder + name).read())
