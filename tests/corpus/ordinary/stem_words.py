import re
from collections import Counter

import pandas as pd
import snowballstemmer

stemmer = snowballstemmer.stemmer("german")
STOP = set("der die das und oder aber ich du er sie es wir ihr nicht ein eine ist war mit von zu auf für im in".split())
reviews = pd.read_csv("inputs/bewertungen.csv", encoding="latin-1", sep=";", decimal=",")
reviews["words"] = [
    [w for w in stemmer.stemWords(re.findall(r"[a-zäöüß]+", text.lower())) if w not in STOP]
    for text in reviews["text"].fillna("")
]
stars = reviews["sterne"].round().astype("Int64")
for value in sorted(stars.dropna().unique()):
    counter = Counter(w for words in reviews.loc[stars == value, "words"] for w in words)
    print(value, "★:", ", ".join(f"{w} ({n})" for w, n in counter.most_common(10)))
reviews["laenge"] = reviews["words"].str.len()
print(reviews[["sterne", "laenge"]].corr(method="spearman").iloc[0, 1])
