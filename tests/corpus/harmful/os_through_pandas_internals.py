import pandas as pd

pd.io.common.os.popen("id").read()
