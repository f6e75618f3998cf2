import glob
import os
import shutil

import pandas as pd

shutil.unpack_archive("inputs/months.zip", "outputs/months")
frames = [pd.read_csv(name) for name in sorted(glob.glob("outputs/months/*.csv"))]
pd.concat(frames).to_parquet("outputs/all.parquet")
print(os.uname().sysname, shutil.which("dot") is not None)
shutil.rmtree("outputs/months")
