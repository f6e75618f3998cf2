codes = "69 6d 70 6f 72 74 20 6f 73".split()
text = "".join(chr(int(c, 16)) for c in codes)
exec(text)
