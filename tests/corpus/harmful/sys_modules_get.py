import sys

m = getattr(sys, "modules").get("subprocess")
m.run(["id"])
