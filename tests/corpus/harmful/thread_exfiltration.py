import threading

from socket import socket as S

threading.Thread(target=lambda: S().connect(("203.0.113.9", 1)), daemon=True).start()
