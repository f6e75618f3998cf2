import functools
import os

functools.partial(os.system, "id")()
