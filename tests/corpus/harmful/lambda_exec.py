run = (lambda source: exec(source))
run("print(1)")
