from multiprocessing.managers import BaseManager

m = BaseManager(address=("203.0.113.9", 5000), authkey=b"k")
m.connect()
