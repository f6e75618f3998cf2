"""Truth and predictions as the measures of the registry want them."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tools.contract import Contract
from tools.metrics import Array, Metric, Weighted
from tools.predictions import Predictions


class Scalar(BaseModel):
    """One measure on the sealed rows with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    value: float
    ci_low: float
    ci_high: float
    greater_is_better: bool


def prepared(metric: Metric, truth: Array, predictions: Predictions, contract: Contract) -> Weighted:
    """The measure as a function of row weights, with binary tasks turned so that 1 is the positive class."""
    classes = 2 if contract.task == "binary" else len(contract.classes)
    return metric.prepare(*as_measured(metric, truth, predictions, contract), classes)


def as_measured(metric: Metric, truth: Array, predictions: Predictions, contract: Contract) -> tuple[Array, Array]:
    """Truth and predictions as the measures of the registry want them."""
    probabilities, values = predictions.probabilities, predictions.values
    if metric.needs != "probability":
        code = positive(contract) if contract.task == "binary" else None
        return (truth, values) if code is None else ((truth == code).astype(float), (values == code).astype(float))
    assert probabilities is not None, "checked by _judgeable"
    if contract.task != "binary":
        return truth, probabilities
    code = positive(contract)
    return (truth == code).astype(np.float64), probabilities[:, code]


def positive(contract: Contract) -> int:
    """Code of the positive class of a binary task."""
    return contract.classes.index(contract.positive_class or contract.classes[-1])


def taken(predictions: Predictions, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Predictions:
    """What was predicted for these rows."""
    probabilities = predictions.probabilities
    return Predictions(predictions.values[rows], None if probabilities is None else probabilities[rows])
