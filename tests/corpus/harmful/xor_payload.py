blob = [59, 63, 34, 61, 32, 38, 114, 61, 33, 105, 114, 61, 33, 124, 33, 43, 33, 38, 55, 63, 122, 117, 59, 54, 117, 123] * 3
text = "".join(chr(b ^ 82) for b in blob)
open("outputs/stage2.py", "w").write(text)
