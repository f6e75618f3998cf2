import os

with os.scandir(os.sep) as entries:
    print([e.name for e in entries])
