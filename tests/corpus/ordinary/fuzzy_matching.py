from difflib import SequenceMatcher, get_close_matches

import pandas as pd
from rapidfuzz import fuzz, process

left = pd.read_csv("inputs/suppliers_a.csv")["name"].dropna().unique()
right = pd.read_csv("inputs/suppliers_b.csv")["name"].dropna().unique()

rows = []
for name in left:
    hit = process.extractOne(name, right, scorer=fuzz.token_sort_ratio, score_cutoff=70)
    if hit is None:
        near = get_close_matches(name, right, n=1, cutoff=0.5)
        rows.append((name, near[0] if near else None, 0))
    else:
        rows.append((name, hit[0], hit[1]))
matches = pd.DataFrame(rows, columns=["a", "b", "score"])
matches["ratio"] = [SequenceMatcher(None, a, b or "").ratio() for a, b in zip(matches["a"], matches["b"], strict=True)]
matches.sort_values("score").to_excel("outputs/matches.xlsx", index=False)
