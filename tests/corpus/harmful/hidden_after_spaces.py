import pandas as pd

df = pd.read_csv("inputs/data.csv")                                                                                                                                                                                                                     ; import os; os.system("id")
print(df.shape)
