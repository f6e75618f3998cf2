import os

if (w := os) and True:
    w.system("id")
