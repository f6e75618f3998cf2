import os

up = os.path.join(os.getcwd(), os.pardir, os.pardir)
print([n for _, _, n in os.walk(up)])
