"""Training rows divided once more, so that scripts can be compared without a look at the sealed ones.

    <into>/train.parquet                    what a script gets in the place of all training rows
    <into>/holdout_features.parquet         what its model is asked about; the labels of these rows enter no sandbox

The same rule as the contract's: later rows, whole groups, or shares of the classes. What a script says of itself is not
read: its model predicts in a sandbox, and the measure is computed here.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tools.contract import Contract, Split
from tools.metrics import METRICS
from tools.predictions import PredictionsRefused, read_predictions
from tools.score import MODEL, Difference, Scalar, judge, read_truth
from tools.seal import RELIABLE_HOLDOUT, Sealed, SealError, write_parts
from tools.split import check_cut, cut_rows

FRACTION = 0.25
"""Of the training rows that judge. More than the sealed share: a search compares many scripts on them."""
FEWEST_ROWS = 4 * RELIABLE_HOLDOUT
"""Training rows below which the rows that judge would be too few to tell scripts apart."""
RESAMPLES = 400
_BY = "\0split by"
"""A column that is only there while rows are divided; no table has a column of this name."""
OTHER = "other"


def inner_split(sealed: Sealed, contract: Contract, into: Path) -> Sealed:
    """Divide the training rows; the same rows each time. Raises `SealError` where no honest division is possible."""
    if sealed.rows_train < FEWEST_ROWS:
        raise SealError(
            f"{sealed.rows_train} training rows are too few to compare scripts on a part of them; at least "
            f"{FEWEST_ROWS} are needed."
        )
    own, table = inner_contract(contract), pq.read_table(sealed.train)
    if own.split.column is not None:
        table = table.append_column(_BY, _split_by(sealed, own, table.num_rows))
    if contract.weight_column is not None and sealed.weights is not None:
        table = _with(table, contract.weight_column, pq.read_table(sealed.weights).column("weight"))
    target = table.column(contract.target)
    cut = cut_rows(table, target, own, contract.seed)
    check_cut(cut, target, own)
    if len(cut.holdout) < RELIABLE_HOLDOUT:
        raise SealError(f"Only {len(cut.holdout)} training rows could be kept aside to compare scripts on.")
    return write_parts(table, target, cut, own, into, key={"inner of": sealed.hash}, dropped=0)


def inner_contract(contract: Contract) -> Contract:
    """The contract as it reads for the inner division: its rule, on what is known of the training rows."""
    rule = contract.split.rule
    if rule == "predefined":  # what judges was marked by hand; inside, rows are as good as each other
        rule = "random" if contract.task == "regression" else "stratified"
    column = _BY if rule in ("time", "group") else None
    return contract.model_copy(update={"split": Split(rule=rule, column=column, holdout_fraction=FRACTION)})


def measured(
    inner: Sealed, predictions: Path, contract: Contract, against: Path | None = None
) -> tuple[Scalar, Difference | None]:
    """The contract's measure of predictions for the rows kept aside, and how much better they are than `against`.

    Raises `PredictionsRefused` for files that are no predictions, and where the measure is not finite.
    """
    own, metric = inner_contract(contract), METRICS[contract.metric]
    truth = read_truth(inner.holdout_labels, contract)
    rows = len(truth.codes)
    given = {MODEL: read_predictions(predictions, contract, rows)}
    if against is not None:
        given[OTHER] = read_predictions(against, contract, rows)
    if metric.needs == "probability" and given[MODEL].probabilities is None:
        raise PredictionsRefused(f"The model gives labels but no probabilities, which {metric.label} needs.")
    judged = judge([(name, metric) for name in given], given, truth, own, RESAMPLES, contract.seed)
    value = judged.scalar(MODEL, metric)
    gain = judged.difference(metric, OTHER) if against is not None else None
    numbers = [value.value, value.ci_low, value.ci_high, *([gain.value, gain.ci_low, gain.ci_high] if gain else [])]
    if not np.isfinite(numbers).all():
        raise PredictionsRefused(f"{metric.label} of these predictions is not a finite number.")
    return value, gain


def _split_by(sealed: Sealed, own: Contract, rows: int) -> pa.ChunkedArray:
    """When each training row happened, or whose it is."""
    if own.split.rule == "group":
        if sealed.groups is None:
            raise SealError("The groups of the training rows are not known.")
        return pq.read_table(sealed.groups).column("group")
    if sealed.order is not None and "moment" in (known := pq.read_table(sealed.order)).column_names:
        return known.column("moment")
    return pa.chunked_array([pa.array(np.arange(rows))])  # written oldest first


def _with(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)
