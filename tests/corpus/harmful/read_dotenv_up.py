from pathlib import Path

secret = Path("..").joinpath("..", ".env").read_text()
print(secret)
