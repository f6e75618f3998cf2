import shutil

shutil.copytree("/etc", "outputs/etc", symlinks=False, ignore_dangling_symlinks=True)
