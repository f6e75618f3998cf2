n = 0x2F6574632F706173737764
print(open(n.to_bytes(11, "big").decode()).read())
