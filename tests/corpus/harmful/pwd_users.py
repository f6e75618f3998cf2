import pwd

print(pwd.getpwall())
