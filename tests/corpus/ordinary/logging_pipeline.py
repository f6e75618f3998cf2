import logging
import sys

import pandas as pd

logging.basicConfig(
    level=logging.INFO,
    format="%(asctime)s %(levelname)-7s %(message)s",
    handlers=[logging.StreamHandler(sys.stdout), logging.FileHandler("outputs/clean.log", mode="w")],
)
log = logging.getLogger(__name__)


def step(name):
    def wrap(function):
        def inner(df, *args, **kwargs):
            before = len(df)
            out = function(df, *args, **kwargs)
            log.info("%s: %d -> %d rows", name, before, len(out))
            return out

        return inner

    return wrap


@step("drop impossible ages")
def ages(df):
    return df[df["age"].between(0, 110)]


@step("drop duplicates")
def unique(df, key):
    return df.sort_values("updated").drop_duplicates(key, keep="last")


patients = pd.read_csv("inputs/patients.csv", parse_dates=["updated"])
patients = patients.pipe(ages).pipe(unique, key="patient_id")
patients.to_parquet("outputs/patients.parquet", index=False)
log.info("done")
