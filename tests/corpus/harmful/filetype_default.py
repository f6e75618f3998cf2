import argparse

p = argparse.ArgumentParser()
p.add_argument("--in", dest="i", type=argparse.FileType("r"), default="/etc/passwd")
print(p.parse_args([]).i.read())
