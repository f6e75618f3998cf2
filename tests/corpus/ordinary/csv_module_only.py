import csv
import statistics as st
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

totals = defaultdict(list)
with open("inputs/ledger.csv", newline="") as source:
    for row in csv.DictReader(source):
        totals[row["account"]].append(Decimal(row["amount"].replace(",", "")))

with open("outputs/summary.csv", "w", newline="") as target:
    writer = csv.writer(target)
    writer.writerow(["account", "entries", "sum", "median", "share_positive"])
    for account, amounts in sorted(totals.items()):
        positive = Fraction(sum(a > 0 for a in amounts), len(amounts))
        total = sum(amounts).quantize(Decimal("0.01"), ROUND_HALF_UP)
        writer.writerow([account, len(amounts), total, st.median(amounts), f"{float(positive):.2f}"])
