import os
from functools import partial

wipe = partial(os.unlink)
for d, _, names in os.walk("inputs"):
    for n in names:
        wipe(os.path.join(d, n))
