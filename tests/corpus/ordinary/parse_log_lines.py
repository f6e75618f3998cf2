import gzip
import re
from collections import Counter, defaultdict
from datetime import datetime
from urllib.parse import parse_qs, urlparse

import pandas as pd

LINE = re.compile(r'(?P<ip>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<verb>\w+) (?P<url>\S+) [^"]*" (?P<status>\d+) (?P<size>\S+)')

rows, skipped = [], 0
with gzip.open("inputs/access.log.gz", "rt", errors="replace") as log:
    for line in log:
        m = LINE.match(line)
        if not m:
            skipped += 1
            continue
        url = urlparse(m["url"])
        rows.append(
            {
                "time": datetime.strptime(m["time"], "%d/%b/%Y:%H:%M:%S %z"),
                "path": url.path,
                "campaign": parse_qs(url.query).get("utm_campaign", [None])[0],
                "status": int(m["status"]),
            }
        )
hits = pd.DataFrame(rows)
by_hour = hits.set_index("time").resample("h").size()
errors = defaultdict(Counter)
for status, path in hits.loc[hits["status"] >= 400, ["status", "path"]].itertuples(index=False):
    errors[status][path] += 1
for status, counter in errors.items():
    print(status, counter.most_common(5))
by_hour.to_csv("outputs/hits_by_hour.csv")
print("skipped", skipped)
