import getpass

user = getpass.getuser()
print(open(f"/home/{user}/.netrc").read())
