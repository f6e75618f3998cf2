import pandas as pd

print("{0.__init__.__globals__[os]}".format(pd.DataFrame()))
