"""The tables of the AutoML comparison: real ones, of three tasks; those of the shared folder only where it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
HOLDOUT = 0.25
MOST_ROWS = 30_000


@dataclass(frozen=True)
class Table:
    """One table: how to read it, what to predict, whether its last rows are the hold-out."""

    name: str
    target: str
    task: Literal["binary", "multiclass", "regression"]
    read: Callable[[], pd.DataFrame]
    by_time: bool = False


@dataclass(frozen=True)
class Parts:
    """One split of one table."""

    train: pd.DataFrame
    test: pd.DataFrame
    truth: pd.Series
    classes: list[str]


def _shared(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(SHARED / f"{name}.csv")


def _sklearn(name: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import sklearn.datasets

        frame: pd.DataFrame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
        return frame

    return read


def _statsmodels(name: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import importlib

        frame: pd.DataFrame = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
        return frame

    return read


def _affairs() -> pd.DataFrame:
    frame = _statsmodels("fair")()
    return frame.assign(affair=np.where(frame.pop("affairs") > 0, "yes", "no"))


def _plotly(name: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import plotly.data

        frame: pd.DataFrame = getattr(plotly.data, name)()
        return frame

    return read


TABLES = (
    Table("titanic", "Survived", "binary", _shared("titanic")),
    Table("telco_churn", "Churn", "binary", _shared("telco_churn")),
    Table("penguins", "species", "multiclass", _shared("penguins")),
    Table("wine_quality", "quality", "multiclass", _shared("wine_quality")),
    Table("california", "median_house_value", "regression", _shared("california")),
    Table("bike_hour", "cnt", "regression", _shared("bike_hour")),
    Table("bike_hour_later", "cnt", "regression", _shared("bike_hour"), by_time=True),
    Table("taxis_tip", "tip", "regression", _shared("taxis_tip")),
    Table("bird_strikes", "phase_of_flt", "multiclass", _shared("bird_strikes")),
    Table("breast_cancer", "target", "binary", _sklearn("breast_cancer")),
    Table("digits", "target", "multiclass", _sklearn("digits")),
    Table("wine", "target", "multiclass", _sklearn("wine")),
    Table("diabetes", "target", "regression", _sklearn("diabetes")),
    Table("affairs", "affair", "binary", _affairs),
    Table("doctor_visits", "mdvis", "regression", _statsmodels("randhie")),
    Table("voters", "PID", "multiclass", _statsmodels("anes96")),
    Table("life_expectancy", "lifeExp", "regression", _plotly("gapminder")),
    Table("tips", "tip", "regression", _plotly("tips")),
)


def available() -> tuple[Table, ...]:
    """The tables that can be read here."""
    return tuple(table for table in TABLES if SHARED.is_dir() or table.read.__qualname__.partition(".")[0] != "_shared")


def split(table: Table, seed: int) -> Parts:
    """Three quarters to learn from, the rest to judge by: drawn within each class, or the last rows in order."""
    from sklearn.model_selection import train_test_split

    frame = table.read().dropna(subset=[table.target]).reset_index(drop=True)
    classes: list[str] = []
    if table.task != "regression":
        frame[table.target] = frame[table.target].map(_label).astype(object)
        classes = sorted(frame[table.target].unique())
        frame = frame[frame.groupby(table.target)[table.target].transform("size") >= 4].reset_index(drop=True)
        classes = [label for label in classes if label in set(frame[table.target])]
    else:
        frame[table.target] = frame[table.target].astype(float)
    if table.by_time:
        at = round(len(frame) * (1 - HOLDOUT))
        train, test = frame.iloc[:at], frame.iloc[at:]
    else:
        by = frame[table.target] if classes else None
        train, test = train_test_split(frame.head(MOST_ROWS), test_size=HOLDOUT, random_state=seed, stratify=by)
    test = test.reset_index(drop=True)
    return Parts(train.reset_index(drop=True), test.drop(columns=table.target), test[table.target], classes)


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
