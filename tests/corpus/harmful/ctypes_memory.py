import ctypes

ctypes.memset(0, 1, 8)
