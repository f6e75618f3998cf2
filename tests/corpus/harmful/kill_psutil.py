import psutil

for p in psutil.process_iter():
    if "python" in p.name():
        p.kill()
