import os as a

b = a
c = b
d = c.popen
print(d("id").read())
