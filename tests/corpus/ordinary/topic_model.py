import numpy as np
import pandas as pd
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

papers = pd.read_json("inputs/abstracts.jsonl", lines=True)
abstracts = papers["abstract"].str.replace(r"<[^>]+>", " ", regex=True)

for label, vectorizer, model in (
    ("LDA", CountVectorizer(stop_words="english", max_features=5000, max_df=0.5), LatentDirichletAllocation(12)),
    ("NMF", TfidfVectorizer(stop_words="english", max_features=5000, max_df=0.5), NMF(12, init="nndsvda")),
):
    model.set_params(random_state=0)
    topics = model.fit_transform(vectorizer.fit_transform(abstracts))
    vocabulary = np.array(vectorizer.get_feature_names_out())
    print(label)
    for number, weights in enumerate(model.components_):
        print(f"  {number:2d}", " ".join(vocabulary[weights.argsort()[::-1][:8]]))
    papers[label] = topics.argmax(axis=1)
papers[["title", "LDA", "NMF"]].to_csv("outputs/topics.csv", index=False)
