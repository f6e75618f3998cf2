"""The end of predict.py as people take it home: a table in, a table out, with what the files beside the model know."""

import argparse
import difflib
import json
import sys
from pathlib import Path

import pandas as pd

from tools.recipes.predict import CLASSES, FEATURES, HERE, MODEL, NUMBERS, listed, load_model, predict, prepared
from tools.rowwise import class_sets, faults, in_words, interval, remarks  # instead of these lines stand the programs

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LINES = {".json": False, ".jsonl": True, ".ndjson": True}
KINDS = (*SEPARATORS, ".parquet", *LINES)


def known_kind(path):
    """Its ending in small letters; a kind of file that this program cannot read or write is told."""
    if path.suffix.lower() not in KINDS:
        sys.exit(f"“{path.name}” should end in one of {', '.join(KINDS)}: other kinds of file need Modelwright itself.")
    return path.suffix.lower()


def read(path):
    """The table as it is; in CSV and TSV all but the numbers stays text, so that leading zeros survive."""
    kind = known_kind(path)
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in LINES:
            return pd.DataFrame(records(path.read_text(encoding="utf-8-sig"), lines=LINES[kind]))
        names = pd.read_csv(path, sep=SEPARATORS[kind], nrows=0).columns
        text = {name: str for name in names if name not in NUMBERS}
        return pd.read_csv(path, sep=SEPARATORS[kind], dtype=text, low_memory=False)
    except FileNotFoundError:
        sys.exit(f"There is no file “{path}”.")
    except (ValueError, OSError) as problem:  # pandas and Arrow raise kinds of ValueError
        sys.exit(f"“{path.name}” cannot be read as {kind}: {' '.join(str(problem).split())[:200]}")


def records(text, *, lines):
    """The rows of a JSON document, or of one that has a row per line."""
    found = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("it should hold a list of objects, one per row")
    return found


def written_as(path, rows):
    """The same rows for the output; from CSV to CSV each cell is kept to the letter."""
    if path.suffix.lower() not in SEPARATORS:
        return rows
    return pd.read_csv(path, sep=SEPARATORS[path.suffix.lower()], dtype=str, keep_default_na=False)


def write(table, path):
    """By its ending, whole or not at all."""
    kind, partial = known_kind(path), path.with_name(f".{path.name}.partial")
    try:
        if kind == ".parquet":
            table.to_parquet(partial, index=False)
        elif kind in LINES:
            table.to_json(partial, orient="records", lines=LINES[kind], date_format="iso", force_ascii=False)
        else:
            table.to_csv(partial, sep=SEPARATORS[kind], index=False)
        partial.replace(path)
    except (ValueError, OSError) as problem:
        partial.unlink(missing_ok=True)
        sys.exit(f"“{path}” cannot be written: {' '.join(str(problem).split())[:200]}")


def checked(rows, name, *, fill_missing):
    """The rows; a table without rows, or without columns that the model needs, is told."""
    missing = [column for column in FEATURES if column not in rows.columns]
    if len(missing) == len(FEATURES):
        sys.exit(f"“{name}” has none of the columns that the model needs ({listed(FEATURES)}).")
    if missing and not fill_missing:
        given = {str(column).casefold().strip(): str(column) for column in rows.columns}
        close = difflib.get_close_matches(missing[0].casefold().strip(), given, 1, 0.7)
        hint = f" (is “{given[close[0]]}” meant to be “{missing[0]}”?)" if close else ""
        many = "column" if len(missing) == 1 else "columns"
        named = ", ".join(f"“{column}”" for column in missing[:8]) + (" …" if len(missing) > 8 else "")
        sys.exit(f"“{name}” lacks the {many} {named} that the model needs{hint}; add or rename, or --fill-missing.")
    if not len(rows):
        sys.exit(f"“{name}” has no rows.")
    if missing:
        print(f"Not in the table, so missing in every row: {', '.join(missing)}")
    return rows


def beside(name):
    """A JSON file in this folder; None where there is none."""
    path = HERE / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def with_intervals(predictions, conformal, level):
    """lower and upper, or for classes the set, at this level."""
    if conformal is None or (CLASSES and "p_0" not in predictions):
        return predictions
    if not CLASSES:
        lower, upper = interval(predictions["prediction"].to_numpy(), conformal, level)
        return predictions.assign(lower=lower, upper=upper)
    chances = predictions[[f"p_{code}" for code in range(len(CLASSES))]].to_numpy()
    return predictions.assign(set=in_words(class_sets(chances, conformal, level), CLASSES))


def warnings_of(rows, reference):
    """How each row is unlike those of training, in words; None where nobody knows what training was like."""
    if reference is None:
        return None
    known = [column for column in reference["columns"] if column["name"] in FEATURES]
    return remarks(faults(rows, known), len(rows))


def together(table, predictions):
    """All columns of the table, then what was found, under names that the table does not have yet."""
    labels = {f"p_{code}": f"p_{label}" for code, label in enumerate(CLASSES)}
    out = table.reset_index(drop=True)
    for name in predictions.columns.drop("row"):
        number, free = 2, labels.get(name, name)
        while free in out.columns:
            free, number = f"{labels.get(name, name)} ({number})", number + 1
        out[free] = predictions[name].to_numpy()
    return out


def asked():
    """The command line."""
    words = argparse.ArgumentParser(description="Predict a table with the model in this folder.")
    words.add_argument("table", type=Path, help=f"ends in one of {', '.join(KINDS)}")
    words.add_argument("output", type=Path, help="the same")
    words.add_argument("model", type=Path, nargs="?", default=MODEL)
    words.add_argument("--level", type=float, default=0.9, help="of the intervals, 0.5 to 0.999")
    words.add_argument("--strict", action="store_true", help="stop when a row is unlike those of training")
    words.add_argument("--fill-missing", action="store_true", help="columns that are not there count as missing")
    found = words.parse_args()
    if not 0.5 <= found.level <= 0.999:
        words.error(f"--level is {found.level}; it must lie between 0.5 and 0.999")
    known_kind(found.output)
    if not found.model.is_file():
        sys.exit(f"There is no model “{found.model}”.")
    return found


if __name__ == "__main__":
    wanted = asked()
    MODEL = wanted.model
    rows = checked(read(wanted.table), wanted.table.name, fill_missing=wanted.fill_missing)
    warned = warnings_of(rows, beside("reference.json"))
    unusual = [row for row, words in enumerate(warned or []) if words]
    if unusual:
        print(f"{len(unusual):,} of {len(rows):,} rows are unlike those of training; see the column “warnings”.")
    if unusual and wanted.strict:
        first = f"The first is row {unusual[0] + 1}: {warned[unusual[0]]}"
        sys.exit(f"Nothing was predicted because of --strict. {first}")
    found = with_intervals(predict(load_model(), prepared(rows)), beside("conformal.json"), wanted.level)
    found = found if warned is None else found.assign(warnings=warned)
    write(together(written_as(wanted.table, rows), found), wanted.output)
