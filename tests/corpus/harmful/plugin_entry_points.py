from importlib.metadata import entry_points

for e in entry_points(group="console_scripts"):
    e.load()()
