"""Why does the model in this folder answer as it does? Works alone, beside predict.py and model.joblib.

    python explain.py TABLE                 what moves the answers, over at most 100 rows
    python explain.py TABLE --row 1         why this row (the first row is 1)
    python explain.py TABLE --column NAME   how a column influences the answer
    ... --out FILE.csv                      the same as a table
    ... --fill-missing                      columns that are not there count as missing

Compares with the training rows in background.parquet beside it, or with the rows of TABLE where it is not there.
Loading a model runs code from its file: use only a model that you trust.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import predict as saved  # predict.py of this folder

from tools.explaining.shapley import averaged, contributions, walks  # instead of this line stands that program

HERE = Path(__file__).resolve().parent
POSITIVE = "1"  # the class whose chance is explained; empty: the predicted one, or a number
SEED = 0
MOST_ROWS = 100
PAIRS, FEW_PAIRS = 50, 4  # walks for one row, and for each of many
GRID = 20


def put_together(pile, source):
    """Rows that take each value from the row of the pile that `source` names."""
    columns = {name: pile[name].take(source[:, place]).reset_index(drop=True) for place, name in enumerate(pile)}
    return pd.DataFrame(columns)


def asked(model, rows, label=None):
    """One number per row: the predicted number, or the chance of the class `label`, and the answers."""
    found = saved.predict(model, saved.prepared(rows))
    if not saved.CLASSES:
        return found["prediction"].to_numpy(dtype=float), found["prediction"]
    label = label or POSITIVE or found["prediction"].iloc[0]
    column = f"p_{saved.CLASSES.index(label)}"
    if column not in found:
        return (found["prediction"] == label).to_numpy(dtype=float), found["prediction"]
    return found[column].to_numpy(dtype=float), found["prediction"]


def taken_apart(model, background, row, pairs, generator):
    """(base, value, contributions, their standard errors) of one row."""
    pile = pd.concat([background, row], ignore_index=True)
    here, codes = len(background), np.column_stack([pd.factorize(pile[name])[0] for name in pile])
    starts = np.resize(generator.permutation(here), pairs)
    plan = walks(codes[:here] == codes[here], starts, generator)
    source = np.where(plan.taken, here, plan.background[:, None])
    value, answer = asked(model, row)
    numbers, _ = asked(model, put_together(pile, source), answer.iloc[0] if saved.CLASSES and not POSITIVE else None)
    parts, errors = averaged(contributions(plan, numbers))
    return value[0] - parts.sum(), value[0], parts, errors


def why(model, background, row, generator):
    """A table: each column, its value, what it adds or takes away."""
    base, value, parts, errors = taken_apart(model, background, row, PAIRS, generator)
    shown = [row[name].iloc[0] for name in row]
    found = pd.DataFrame({"column": row.columns, "value": shown, "contribution": parts, "error": errors})
    print(f"average {base:.6g} + contributions {parts.sum():+.6g} = this row {value:.6g}")
    return found.sort_values("contribution", key=np.abs, ascending=False)


def overall(model, background, rows, generator):
    """A table: each column and the mean size of its contributions."""
    each = [taken_apart(model, background, rows.iloc[[at]], FEW_PAIRS, generator)[2] for at in range(len(rows))]
    found = pd.DataFrame({"column": rows.columns, "mean_contribution": np.abs(each).mean(axis=0)})
    print(f"{len(rows)} rows taken apart")
    return found.sort_values("mean_contribution", ascending=False)


def influence(model, background, rows, column):
    """A table: values of the column, and the mean answer when every row has them."""
    values = background[column].dropna()
    if column in (*saved.NUMBERS, *saved.DATES):
        values = values.sort_values()
        values = values.iloc[np.unique(np.linspace(0, len(values) - 1, GRID).astype(int))].drop_duplicates()
    else:
        values = values[values.isin(values.value_counts().index[:GRID])].drop_duplicates()
    label = asked(model, rows.iloc[[0]])[1].iloc[0] if saved.CLASSES and not POSITIVE else None
    answers = [asked(model, rows.assign(**{column: value}), label)[0] for value in values]
    means, errors = np.mean(answers, axis=1), np.std(answers, axis=1) / np.sqrt(len(rows))
    return pd.DataFrame(
        {column: values.to_numpy(), "mean": means, "low": means - 2 * errors, "high": means + 2 * errors}
    )


def read(path, *, fill_missing):
    """The model's columns of a table; what is wrong with it is told."""
    table = saved.checked(saved.read(path), path.name, fill_missing=fill_missing)
    return saved.prepared(table).reset_index(drop=True)


def main():
    asking = argparse.ArgumentParser(description="Why does the model answer as it does?")
    asking.add_argument("table", type=Path)
    asking.add_argument("--row", type=int)
    asking.add_argument("--column")
    asking.add_argument("--out", type=Path)
    asking.add_argument("--fill-missing", action="store_true")
    wish = asking.parse_args()
    if wish.out:
        saved.known_kind(wish.out)
    rows, kept = read(wish.table, fill_missing=wish.fill_missing), HERE / "background.parquet"
    if wish.row is not None and not 1 <= wish.row <= len(rows):
        sys.exit(f"There is no row {wish.row}; the table has rows 1 to {len(rows)}.")
    if wish.column is not None and wish.column not in rows.columns:
        sys.exit(f"The model does not use “{wish.column}”; it uses {', '.join(rows.columns)}.")
    background = read(kept, fill_missing=True) if kept.exists() else rows.sample(min(len(rows), 200), random_state=SEED)
    background = background.reset_index(drop=True)
    model, generator = saved.load_model(), np.random.default_rng(SEED)
    sample = rows.sample(min(len(rows), MOST_ROWS), random_state=SEED)
    if wish.row is not None:
        found = why(model, background, rows.iloc[[wish.row - 1]], generator)
    elif wish.column is not None:
        found = influence(model, background, sample, wish.column)
    else:
        found = overall(model, background, sample, generator)
    print(found.to_string(index=False))
    if wish.out:
        saved.write(found, wish.out)


if __name__ == "__main__":
    main()
