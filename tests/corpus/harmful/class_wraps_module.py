import shutil


class Files:
    def __init__(self):
        self.lib = shutil

    def drop(self, where):
        self.lib.rmtree(where)


Files().drop("inputs")
