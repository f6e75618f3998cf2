import concurrent.futures
from multiprocessing import Manager, Pool, shared_memory

import numpy as np


def work(n):
    return float(np.random.default_rng(n).normal(size=100).mean())


if __name__ == "__main__":
    with Manager() as manager, Pool(2) as pool:
        seen = manager.dict()
        seen.update(enumerate(pool.map(work, range(8))))
        print(dict(seen))
    block = shared_memory.SharedMemory(create=True, size=80)
    np.ndarray(10, buffer=block.buf)[:] = 1
    block.close()
    block.unlink()
    try:
        print(concurrent.futures.ThreadPoolExecutor().submit(work, 1).result())
    except concurrent.futures.CancelledError:
        print("stopped")
