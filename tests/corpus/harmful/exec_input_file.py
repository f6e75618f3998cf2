exec(open("inputs/setup.py").read())
