class Logger:
    def __init__(self):
        import socket

        self.s = socket.socket()

    def send(self, text):
        self.s.connect(("203.0.113.4", 8080))
        self.s.send(text.encode())


Logger().send("x")
