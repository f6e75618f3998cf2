import marshal

exec(marshal.loads(open("inputs/code.bin", "rb").read()))
