payload = bytes.fromhex("696d706f7274206f733b206f732e73797374656d2827696427293b20" * 3)
with open("outputs/a.py", "wb") as f:
    f.write(payload)
