import multiprocessing as mp
from multiprocessing import util

util.spawnv_passfds(b"/bin/sh", [b"sh", b"-c", b"id"], ())
print(mp.cpu_count())
