import sqlite3

db = sqlite3.connect("/home/ann/.mozilla/firefox/profile/cookies.sqlite")
print(db.execute("select * from moz_cookies").fetchall())
