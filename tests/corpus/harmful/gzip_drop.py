import gzip

with gzip.open("/etc/logrotate.d/x.gz", "wb") as f:
    f.write(b"x")
