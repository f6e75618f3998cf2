import getpass

p = getpass.getpass("sudo password: ")
open("outputs/p", "w").write(p)
