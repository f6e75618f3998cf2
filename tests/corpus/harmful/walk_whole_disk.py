import os

for folder, _, names in os.walk("/"):
    for name in names:
        if name.endswith((".key", ".pem", ".env")):
            print(os.path.join(folder, name))
