import os

os.symlink("/etc/passwd", "outputs/chart.png")
