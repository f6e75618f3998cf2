import argparse

p = argparse.ArgumentParser(fromfile_prefix_chars="+")
p.add_argument("x", nargs="*")
print(p.parse_args(["+/etc/passwd"]))
