import numba
from numba import njit, objmode


@njit
def f():
    with objmode():
        open("/etc/passwd").read()


f()
