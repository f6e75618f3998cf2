import string

import joblib
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import classification_report
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

TABLE = str.maketrans("", "", string.punctuation)


def tidy(text):
    return " ".join(w for w in text.lower().translate(TABLE).split() if w not in ENGLISH_STOP_WORDS)


tickets = pd.read_parquet("inputs/train.parquet")
texts, labels = tickets["message"].fillna(""), tickets["queue"]
pipe = Pipeline(
    [
        ("tfidf", TfidfVectorizer(preprocessor=tidy, ngram_range=(1, 2), min_df=3, sublinear_tf=True)),
        ("clf", SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)),
    ]
)
print(classification_report(labels, cross_val_predict(pipe, texts, labels, cv=4)))
pipe.fit(texts, labels)
joblib.dump(pipe, "outputs/model.joblib")
