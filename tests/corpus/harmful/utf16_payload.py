data = "\u6d69\u6f70\u7472\u6f20\u0073".encode("utf-16-le")
exec(data.decode("latin-1"))
