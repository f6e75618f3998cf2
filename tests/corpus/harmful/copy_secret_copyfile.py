import shutil
from os import path

shutil.copyfile(path.join("/", "etc", "shadow"), "outputs/a.txt")
