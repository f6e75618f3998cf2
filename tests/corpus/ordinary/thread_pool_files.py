from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Lock

import pandas as pd

lock, bad = Lock(), []


def load(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_csv(path, on_bad_lines="skip").assign(file=path.stem)
    except (pd.errors.EmptyDataError, UnicodeDecodeError) as problem:
        with lock:
            bad.append((path.name, str(problem)))
        return None


files = sorted(Path("inputs").rglob("*.csv"))
with ThreadPoolExecutor(max_workers=4) as pool:
    waiting = {pool.submit(load, f): f for f in files}
    frames = [r for done in as_completed(waiting) if (r := done.result()) is not None]
print(f"{len(frames)} files read, {len(bad)} not")
pd.concat(frames).to_parquet("outputs/all.parquet")
(Path("outputs") / "bad.txt").write_text("\n".join(f"{name}: {why}" for name, why in bad))
