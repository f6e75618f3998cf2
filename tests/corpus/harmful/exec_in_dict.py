tools = {"run": exec}
tools["run"]("import os")
