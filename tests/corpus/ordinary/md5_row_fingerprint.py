"""Find rows that changed between two deliveries."""
import hashlib

import pandas as pd


def fingerprint(row) -> str:
    text = "|".join("" if pd.isna(v) else str(v) for v in row)
    return hashlib.md5(text.encode("utf-8")).hexdigest()


old = pd.read_csv("inputs/january.csv").set_index("id")
new = pd.read_csv("inputs/february.csv").set_index("id")
common = old.index.intersection(new.index)
a = old.loc[common].apply(fingerprint, axis=1)
b = new.loc[common, old.columns].apply(fingerprint, axis=1)
changed = common[a != b]
print(f"{len(new.index.difference(old.index))} new, {len(old.index.difference(new.index))} gone, {len(changed)} changed")
new.loc[changed].to_csv("outputs/changed.csv")
