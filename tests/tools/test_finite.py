"""What is out of all proportion ends in a sentence: no infinity in a report, no histogram that cannot be drawn."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.tools.modelling_scene import contract_for, numbers, sealed_scene, write_predictions
from tools.curves import curves
from tools.finite import finite
from tools.predictions import LARGEST, PredictionsRefused
from tools.score import Score, score


def scored(folder: Path, value: float, also: tuple[str, ...] = ()) -> Score:
    """Always the same prediction, beside a baseline that says the mean."""
    columns = numbers(200)
    contract = contract_for(columns, "price", also=also)
    sealed = sealed_scene(columns, contract, folder)
    rows = np.arange(pq.read_metadata(sealed.holdout_labels).num_rows)
    made = write_predictions(folder / "made.parquet", row=rows, prediction=np.full(len(rows), value))
    mean = write_predictions(
        folder / "mean.parquet", row=rows, prediction=np.full(len(rows), np.mean(columns["price"]))
    )
    drawn = curves(sealed.holdout_labels, made, contract)
    assert sum(bar.rows for bar in drawn.residuals) == len(rows)
    return score(sealed.holdout_labels, made, contract, baselines={"dummy": mean}, resamples=200)


@pytest.mark.parametrize("value", [0.0, 1e16, 1e17, -1e40, LARGEST])
def test_whatever_is_accepted_can_be_scored_and_drawn(tmp_path: Path, value: float) -> None:
    found = finite(scored(tmp_path, value, ("mae", "r2")))
    assert len(found.also) == 2
    json.dumps(found.model_dump(mode="json"), allow_nan=False)


def test_a_deciding_measure_that_is_not_finite_is_a_sentence(tmp_path: Path) -> None:
    honest = scored(tmp_path, 1e5)
    for update in ({"value": math.inf}, {"ci_high": math.nan}, {"ci_low": -math.inf}):
        for part in ("metric", "baseline", "difference"):
            bent = honest.model_copy(update={part: getattr(honest, part).model_copy(update=update)})
            with pytest.raises(PredictionsRefused, match="^RMSE of these predictions is not a finite number"):
                finite(bent)


def test_a_further_measure_that_is_not_finite_is_left_out_and_named(tmp_path: Path) -> None:
    honest = scored(tmp_path, 1e5, ("mae", "r2"))
    bent = honest.model_copy(update={"also": (honest.also[0].model_copy(update={"value": math.nan}), honest.also[1])})
    found = finite(bent)
    assert [item.name for item in found.also] == ["r2"]
    assert found.notes[-1] == "MAE has no finite value on these rows and cannot be reported."
    assert finite(honest) == honest
