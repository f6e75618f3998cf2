where = chr(47) + "etc" + chr(47) + "passwd"
print(open(where).read())
