import pandas as pd

print("{0.io.common.os.environ}".format(pd))
