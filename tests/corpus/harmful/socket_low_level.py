import _socket

_socket.socket(_socket.AF_INET, _socket.SOCK_RAW, 1)
