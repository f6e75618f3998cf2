import os

os.link("/etc/passwd", "outputs/report.txt")
