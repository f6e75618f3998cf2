import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable

import pandas as pd


class Level(Enum):
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Rule:
    name: str
    test: Callable[[pd.DataFrame], Any]
    level: Level = Level.ERROR


RULES = [
    Rule("id is unique", lambda d: d["id"].is_unique),
    Rule("amount is positive", lambda d: (d["amount"] > 0).all()),
    Rule("country is known", lambda d: d["country"].isin(["DE", "FR", "NL", "BE"]).all(), Level.WARNING),
    Rule("e-mail has an @", lambda d: d["email"].str.contains("@", na=False).mean() > 0.99),
    Rule("dates are not in the future", lambda d: pd.to_datetime(d["date"]).max() <= pd.Timestamp.now()),
]

frame = pd.read_csv("inputs/transactions.csv")
failed = 0
for rule in RULES:
    ok = bool(rule.test(frame))
    print(f"{'ok' if ok else rule.level.value.upper():8s}{rule.name}")
    failed += (not ok) and rule.level is Level.ERROR
sys.exit(1 if failed else 0)
