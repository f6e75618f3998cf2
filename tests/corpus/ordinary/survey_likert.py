import textwrap

import pandas as pd

ORDER = ["strongly disagree", "disagree", "neutral", "agree", "strongly agree"]
survey = pd.read_csv("inputs/survey.csv")
questions = [c for c in survey if c.startswith("Q")]
scores = survey[questions].apply(lambda s: pd.Categorical(s.str.lower().str.strip(), ORDER, ordered=True).codes)
scores = scores.mask(scores < 0) + 1

k = scores.shape[1]
alpha = k / (k - 1) * (1 - scores.var().sum() / scores.sum(axis=1).var())
print(f"Cronbach's alpha: {alpha:.2f}")

for q in questions:
    print(textwrap.shorten(q, 70, placeholder="…"), f"{scores[q].mean():.2f}")
by_group = scores.join(survey["department"]).groupby("department").mean().round(2)
by_group.to_markdown("outputs/by_department.md")
