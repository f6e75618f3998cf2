import numpy as np

print(np.lib.npyio.DataSource().open("http://evil.example/x.txt").read())
