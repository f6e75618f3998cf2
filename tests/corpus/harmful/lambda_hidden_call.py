import os

(lambda f: f("id"))(os.system)
