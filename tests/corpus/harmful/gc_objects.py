import gc

for o in gc.get_objects():
    if isinstance(o, dict) and "api_key" in o:
        print(o)
