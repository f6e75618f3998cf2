import time
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq


@contextmanager
def timed(label):
    start = time.perf_counter()
    try:
        yield
    finally:
        print(f"{label}: {time.perf_counter() - start:.3f} s")


with timed("scan"):
    data = ds.dataset("inputs", format="parquet", exclude_invalid_files=True)
    table = data.to_table(columns=["store", "amount", "paid_at"], filter=pc.field("amount") > 0)
with timed("group"):
    grouped = table.group_by("store").aggregate([("amount", "sum"), ("amount", "count"), ("paid_at", "max")])
with timed("write"):
    pq.write_table(grouped.sort_by([("amount_sum", "descending")]), "outputs/stores.parquet", compression="zstd")
    pd.Series(grouped.column_names).to_csv("outputs/columns.csv")
print(pa.__version__, grouped.num_rows)
