import shutil

shutil.move("inputs/train.parquet", "outputs/train.parquet")
