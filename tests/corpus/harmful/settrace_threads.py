import threading

threading.settrace(lambda *a: None)
