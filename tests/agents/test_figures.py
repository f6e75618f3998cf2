"""Numbers in a model's sentences: what counts as a figure of the run, rounded or not, and what never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.minds.figures import Figure, figures_of, unsupported

FIGURES = (
    Figure("score", 0.8312, "0.831", "ROC-AUC"),
    Figure("rows", 1234, "1,234", "rows"),
    Figure("gain", 0.0512, "+0.0512", "gain"),
    Figure("loss", -0.204, "-0.204", "loss"),
    Figure("columns", 5, "5", "columns"),
    Figure("share", 0.125, "12.5%", "share"),
)


@pytest.mark.parametrize(
    "sentence",
    [
        "ROC-AUC is 0.83 on 1,234 rows.",
        "It is 83 % (95 % interval not given).",
        "It is 83.1 percent, with a 95% confidence interval.",
        "About 1,200 rows and five columns.",
        "A gain of 0.051, or 5.1 percentage points.",
        "The loss is -0.20.",
        "R² and F1 tell the same.",
        "Column “v0.99” matters most.",
        "The share is 12.5 %.",
    ],
)
def test_figures_of_the_run_are_supported(sentence: str) -> None:
    assert unsupported(sentence, FIGURES, ["v0.99"]) == ()


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("ROC-AUC is 0.97.", "0.97"),
        ("It is about 0.8.", "0.8"),
        ("It is 95 % right.", "95 %"),
        ("0.95 of all", "0.95"),
        ("1,300 rows", "1,300"),
        ("A gain of -0.051.", "-0.051"),
        ("score0.97", "score0.97"),
        ("5k rows", "5k"),
        ("0,83", "0,83"),
        ("1e9", "1e9"),
        ("٩٧ of them", "٩٧"),
        ("½ of them", "½"),
        ("Ⅻ of them", "Ⅻ"),
        ("０.９７", "０"),
        ("twice as good", "twice"),
        ("half of them", "half"),
        ("a tenfold gain", "tenfold"),
        ("ninety-five of them", "ninety"),
        ("six columns", "six"),
        ("v0.99 matters", "v0.99"),
        ("“v0.99” is 0.99", "0.99"),
    ],
)
def test_everything_else_is_not(sentence: str, number: str) -> None:
    assert number in unsupported(sentence, FIGURES, ["v0.99"])


@given(st.floats(min_value=0.001, max_value=1e6, allow_nan=False), st.integers(min_value=0, max_value=4))
def test_a_figure_written_with_enough_digits_is_always_found(value: float, places: int) -> None:
    written = f"{value:,.{places}f}"
    if len(written.replace(",", "").replace(".", "").lstrip("0")) >= 2:
        assert unsupported(f"It is {written}.", (Figure("x", value, "", ""),)) == ()


@given(st.floats(min_value=0.1, max_value=0.9), st.floats(min_value=0.02, max_value=0.09))
def test_a_figure_moved_by_more_than_its_last_digit_is_never_found(value: float, by: float) -> None:
    assert unsupported(f"It is {value + by:.3f}.", (Figure("x", value, "", ""),))


def test_the_figures_of_a_report_leave_out_what_is_not_known() -> None:
    one = {"name": "roc_auc", "label": "ROC-AUC", "value": 0.8, "ci_low": None, "ci_high": float("nan")}
    gap = {"value": 0.1, "ci_low": 0.05, "ci_high": 0.15}
    found = {figure.name: figure for figure in figures_of({"metric": one, "baseline": one, "difference": gap})}
    assert {"score", "baseline", "gain", "gain_low"} <= set(found)
    assert not {"score_low", "score_high", "rows_train"} & set(found)
    assert found["gain"].text == "+0.1"
