import os

os.startfile("outputs/x.exe")
