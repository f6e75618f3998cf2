import os as operating

o = operating
run = o.system
run("whoami")
