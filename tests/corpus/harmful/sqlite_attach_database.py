import sqlite3

c = sqlite3.connect(":memory:")
c.execute("ATTACH DATABASE '/home/user/cookies.sqlite' AS c")
