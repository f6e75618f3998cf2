import math
import random
from collections import Counter, defaultdict
from pathlib import Path


class NaiveBayes:
    __slots__ = ("priors", "words", "vocabulary")

    def __init__(self):
        self.priors = Counter()
        self.words = defaultdict(Counter)
        self.vocabulary = set()

    def learn(self, text, label):
        self.priors[label] += 1
        tokens = text.lower().split()
        self.words[label].update(tokens)
        self.vocabulary.update(tokens)

    def classify(self, text):
        def log_p(label):
            counts, size = self.words[label], len(self.vocabulary)
            total = sum(counts.values()) + size
            return math.log(self.priors[label]) + sum(math.log((counts[w] + 1) / total) for w in text.lower().split())

        return max(self.priors, key=log_p)

    def __repr__(self):
        return f"{self.__class__.__name__}({len(self.vocabulary)} words)"


lines = [line.split("\t", 1) for line in Path("inputs/sms.tsv").read_text(encoding="utf-8").splitlines()]
random.seed(11)
random.shuffle(lines)
cut = len(lines) * 4 // 5
model = NaiveBayes()
for label, text in lines[:cut]:
    model.learn(text, label)
hits = sum(model.classify(text) == label for label, text in lines[cut:])
print(model, f"{hits / (len(lines) - cut):.1%}")
