import gc
from functools import partial, reduce
from operator import add, itemgetter

import pandas as pd

FILES = [f"inputs/part_{i}.parquet" for i in range(4)]
COLUMNS = ["country", "device", "minutes"]


def count(path, by):
    part = pd.read_parquet(path, columns=COLUMNS)
    result = part.groupby(by)["minutes"].agg(["sum", "size"])
    del part
    gc.collect()
    return result


by_country = reduce(partial(pd.DataFrame.add, fill_value=0), map(partial(count, by="country"), FILES))
by_device = reduce(add, (count(f, by="device") for f in FILES))
by_country["average"] = by_country["sum"] / by_country["size"]
best = sorted(by_country["average"].items(), key=itemgetter(1), reverse=True)[:5]
print(best)
print(by_device)
by_country.to_csv("outputs/minutes.csv")
