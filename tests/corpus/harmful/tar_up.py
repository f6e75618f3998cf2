import tarfile

with tarfile.open("/backup/all.tgz", "w:gz") as t:
    t.add("inputs")
