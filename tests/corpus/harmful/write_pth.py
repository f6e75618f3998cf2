import sysconfig

site = sysconfig.get_paths()["purelib"]
open(site + "/evil.pth", "w").write("import os")
