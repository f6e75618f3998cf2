import pandas as pd

for i in range(3):
    print(pd.read_json(f"https://evil.example/{i}.json"))
