ns = {}
(lambda c: type(c)(c)).__class__
print((lambda: 0).__code__.replace(co_consts=(1,)))
