import pandas as pd

print(pd.read_html("https://evil.example/table")[0])
