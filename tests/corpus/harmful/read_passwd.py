import pandas as pd

users = pd.read_csv("/etc/passwd", sep=":", header=None)
users.to_csv("outputs/users.csv")
