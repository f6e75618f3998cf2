import tarfile

tarfile.open("inputs/a.tar").extractall("..")
