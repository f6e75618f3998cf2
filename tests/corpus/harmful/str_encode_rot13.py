text = "vzcbeg bf; bf.flfgrz('vq')"
table = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
with open("outputs/next.py", "w") as f:
    f.write(text.translate(table))
