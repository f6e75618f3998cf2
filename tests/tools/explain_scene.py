"""A model whose reasons are known, behind the `Ask` that explanations use, and a clock of its own."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tests.tools.modelling_scene import contract_for
from tools.contract import Contract, Role
from tools.explaining.asking import Model, features_in
from tools.explaining.background import Background, background_of
from tools.predictions import Predictions


def columns(rows: int = 300, seed: int = 0) -> dict[str, Any]:
    """Numbers, a category, a date, text, a column with gaps, and a name that is no ASCII."""
    draw = np.random.default_rng(seed)
    return {
        "größe": draw.normal(50, 10, rows).round(1),
        "plan": draw.choice(["month", "year"], rows).tolist(),
        "visits": draw.integers(0, 20, rows),
        "since": [date(2020, 1, 1) + timedelta(days=int(day)) for day in draw.integers(0, 900, rows)],
        "remark": [f"remark {number % 7}" for number in range(rows)],
        "gaps": [None if number % 3 else float(number) for number in range(rows)],
        "age": draw.integers(18, 80, rows),
    }


ROLES: dict[str, Role] = {"remark": "text"}
Score = Callable[[dict[str, Any]], Any]


def odds(row: dict[str, Any]) -> Any:
    """Additive in size, plan and visits; nothing else counts."""
    plan = np.array(row["plan"].to_pylist()) == "month"
    return 0.1 * (row["größe"].to_numpy() - 50) + 2.0 * plan - 0.2 * (row["visits"].to_numpy() - 10)


class Scene:
    """Rows, what they are compared with, and a model that can be asked."""

    def __init__(self, task: str = "binary", rows: int = 300, seconds: float = 0.0, score: Score = odds) -> None:
        table = columns(rows)
        target: Any = np.where(np.arange(rows) % 2, "yes", "no").tolist()
        if task == "regression":
            target = np.linspace(0.0, 1.0, rows)
        if task == "multiclass":
            target = [["a", "b", "c"][number % 3] for number in range(rows)]
        self.contract: Contract = contract_for(table | {"answer": target}, "answer", roles=ROLES)
        self.rows = features_in(pa.table(table), self.contract)
        self.background: Background = background_of(self.rows, self.contract)
        self.now, self.seconds, self.score = 0.0, seconds, score
        self.asked: list[pa.Table] = []

    def said(self, table: pa.Table) -> Predictions:
        score = self.score({name: table.column(name) for name in table.column_names})
        if self.contract.task == "regression":
            return Predictions(1000.0 * score, None)
        chance = 1 / (1 + np.exp(-score))
        if self.contract.task == "binary":
            both = np.column_stack([1 - chance, chance])
            return Predictions((chance > 0.5).astype(float), both)
        three = np.column_stack([chance * 0.6, chance * 0.4, 1 - chance])
        return Predictions(three.argmax(axis=1).astype(float), three)

    async def ask(self, table: pa.Table) -> Predictions:
        self.asked.append(table)
        self.now += self.seconds * len(table) / 1000
        return self.said(table)

    def model(self, seconds: float = 60.0) -> Model:
        return Model(self.ask, self.contract, self.now + seconds, lambda: self.now)

    def row(self, number: int = 0, **changed: Any) -> pa.Table:
        one = self.rows.slice(number, 1)
        for name, value in changed.items():
            place = one.column_names.index(name)
            one = one.set_column(place, name, pa.array([value], one.column(name).type))
        return one
