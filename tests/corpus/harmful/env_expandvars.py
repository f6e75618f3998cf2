import os.path

print(os.path.expandvars("$DATABASE_URL"))
