import argparse

import pandas as pd

p = argparse.ArgumentParser()
p.add_argument("--input", default="/home/ann/salaries.csv")
args = p.parse_args([])
print(pd.read_csv(args.input))
