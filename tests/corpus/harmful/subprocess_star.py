from subprocess import *

print(getoutput("id"))
