import doctest

doctest.run_docstring_examples(">>> import os; os.system('id')", {})
