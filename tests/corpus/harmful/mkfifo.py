import os

os.mkfifo("outputs/pipe")
