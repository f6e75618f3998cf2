import locale
import re
from datetime import date, timedelta

import pandas as pd

SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
AMOUNT = re.compile(r"(?P<symbol>[€$£¥])?\s*(?P<number>-?[\d.,]+)\s*(?P<code>[A-Z]{3})?")


def parse(text):
    m = AMOUNT.fullmatch(text.strip())
    if not m:
        return None, None
    number = m["number"]
    if re.search(r",\d{2}$", number):
        number = number.replace(".", "").replace(",", ".")
    return float(number.replace(",", "")), m["code"] or SYMBOLS.get(m["symbol"])


try:
    locale.setlocale(locale.LC_TIME, "C")
except locale.Error as err:
    print("locale:", err)
bills = pd.read_csv("inputs/bills.csv", dtype=str)
bills[["amount", "currency"]] = bills["total"].map(parse).to_list()
bills["due"] = pd.to_datetime(bills["date"], dayfirst=True, errors="coerce") + pd.Timedelta(days=30)
late = bills[bills["due"] < pd.Timestamp(date.today() - timedelta(days=7))]
print(late.groupby("currency", dropna=False)["amount"].sum())
bills.to_csv("outputs/bills.csv", index=False)
