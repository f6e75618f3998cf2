import joblib
import pandas as pd
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, hamming_loss
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

posts = pd.read_json("inputs/posts.json", orient="records")
binarizer = MultiLabelBinarizer()
Y = binarizer.fit_transform(posts["tags"].str.split("|"))
common = Y.sum(axis=0) >= 25
Y, names = Y[:, common], binarizer.classes_[common]
text = posts["title"] + "\n" + posts["body"]
a, b, ya, yb = train_test_split(text, Y, test_size=0.2, random_state=0)
model = make_pipeline(HashingVectorizer(n_features=2**16, alternate_sign=False), OneVsRestClassifier(LogisticRegression()))
model.fit(a, ya)
predicted = model.predict(b)
print("hamming", hamming_loss(yb, predicted), "micro f1", f1_score(yb, predicted, average="micro"))
per_tag = pd.Series(f1_score(yb, predicted, average=None, zero_division=0), names).sort_values()
per_tag.to_csv("outputs/f1_per_tag.csv")
joblib.dump((model, names), "outputs/tagger.joblib")
