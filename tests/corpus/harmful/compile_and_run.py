code = compile("import os; os.system('id')", "x", "exec")
exec(code)
