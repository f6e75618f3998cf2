import gzip
import re

import pandas as pd

LINE = re.compile(r'(?P<ip>\S+) \[(?P<at>[^\]]+)\] "(?P<url>\S+)" (?P<status>\d+)')
with gzip.open("inputs/access.log.gz", "rt") as lines:
    table = pd.DataFrame([found.groupdict() for line in lines if (found := LINE.match(line))])
table["section"] = "/" + table["url"].str.split("/").str[1]
print(table["url"].isin(["/etc/passwd", "/.env"]).sum(), table["url"].str.startswith("https://").mean())
table.loc[table["url"].str.startswith("/home/"), "section"] = "home"
table.to_csv("outputs/log.csv")
