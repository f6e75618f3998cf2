from dataclasses import make_dataclass
from collections import namedtuple

make_dataclass("X", [("a", "__import__('os').system('id')")])
print(namedtuple("Y", "a"))
