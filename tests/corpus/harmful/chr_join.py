name = "".join(chr(c) for c in (111, 115))
module = __import__(name)
module.system("".join(map(chr, [105, 100])))
