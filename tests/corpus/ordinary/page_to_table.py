import html

import pandas as pd
from bs4 import BeautifulSoup

with open("inputs/page.html", encoding="utf-8") as f:
    page = BeautifulSoup(f.read(), "html.parser")
rows = [[html.unescape(cell.get_text(strip=True)) for cell in row.find_all("td")] for row in page.select("table tr")]
links = [link["href"] for link in page.find_all("a") if link.get("href", "").startswith("https://")]
pd.DataFrame(rows).to_csv("outputs/rows.csv", index=False)
print(len(links), "links")
