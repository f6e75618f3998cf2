import base64
import html
import io
from datetime import date

import matplotlib.pyplot as plt
import pandas as pd

df = pd.read_csv("inputs/scores.csv")


def as_tag(fig) -> str:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100)
    plt.close(fig)
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img src="data:image/png;base64,{code}">'


fig, ax = plt.subplots()
df["score"].hist(bins=30, ax=ax)
ax.axvline(df["score"].mean(), color="red")
body = [
    f"<h1>Scores, {date.today():%d %B %Y}</h1>",
    as_tag(fig),
    df.describe().to_html(),
    "<pre>" + html.escape(df.sample(5, random_state=1).to_string()) + "</pre>",
]
with open("outputs/report.html", "w", encoding="utf-8") as out:
    out.write("<!doctype html><html><body>" + "\n".join(body) + "</body></html>")
