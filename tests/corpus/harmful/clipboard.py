import pandas as pd

pd.read_clipboard().to_csv("outputs/clip.csv")
