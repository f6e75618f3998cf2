import functools
import time
import traceback

import pandas as pd


def timed(function):
    @functools.wraps(function)
    def inner(*given):
        begun = time.perf_counter()
        try:
            return function(*given)
        finally:
            print(function.__name__, round(time.perf_counter() - begun, 3))

    return inner


@timed
def means(path):
    return pd.read_csv(path).mean(numeric_only=True)


try:
    print(means("inputs/a.csv"), means.__wrapped__.__name__)
except ValueError as problem:
    traceback.print_exception(type(problem), problem, problem.__traceback__)
    raise RuntimeError("no means") from problem
