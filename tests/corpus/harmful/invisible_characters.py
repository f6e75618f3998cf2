secret = "a​‌​‌‍​‌​‌‍​‌​‌‍​‌​‌‍"
text = "".join("1" if c == "‌" else "0" for c in secret)
open("outputs/x.py", "w").write(text)
