print(open("/%s/%s" % ("etc", "group")).read())
