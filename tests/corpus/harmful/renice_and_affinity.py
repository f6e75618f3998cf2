import os

os.setpriority(os.PRIO_PROCESS, 0, -20)
os.sched_setaffinity(0, range(64))
