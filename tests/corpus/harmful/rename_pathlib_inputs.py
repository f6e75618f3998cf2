from pathlib import Path

p = Path("inputs/train.parquet")
p.rename("outputs/gone.parquet")
