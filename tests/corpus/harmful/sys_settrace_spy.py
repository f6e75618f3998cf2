import sys

sys.settrace(lambda *a: print(a))
sys.addaudithook(print)
