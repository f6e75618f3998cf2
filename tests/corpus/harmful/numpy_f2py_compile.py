from numpy import f2py

f2py.compile("program x\ncall system('id')\nend", modulename="m")
