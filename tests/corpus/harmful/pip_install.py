import sys
from pip._internal.cli.main import main

main(["install", "evil-package"])
print(sys.argv)
