text = open("inputs/formula.txt").read()
print(eval(text))
