"""Does the audit find leaks that were planted into real tables, and is it silent on clean ones?

    python -m benchmarks.leaks [--leaks 200] [--controls 200] [--trends 20] [--readme] [--only KIND ...]
        [--half tuned|fresh] [--anew]

A case that stands in the CSV already is not run again, so a run that was cut off goes on; after a change of the rules
`--anew` begins from the start.

Ten kinds of leaks in turn, each into another table, column subset and seed; as many clean controls. A leak counts as
found only when the probe of its kind fails and names it. A control is a false alarm when any probe fails. The rules
were set on half of the tables ("tuned"); the figures of the others ("fresh") are told apart. Everything runs as in the
product, but in this process: the table is sealed, the audit program measures, the rules judge. Written to
results/leaks.csv.
"""

import argparse
import csv
import itertools
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import automl_tables
from benchmarks.leaking import PLANTS, Plant, Planted, Scene
from benchmarks.readme import put_into_readme
from benchmarks.sealing import audited
from tools.contract import Split
from tools.split import SealError

RESULTS = Path(__file__).parent / "results" / "leaks.csv"
MOST_ROWS = 2400
FEWEST_ROWS = 300
TUNED = (
    "telco_churn",
    "penguins",
    "california",
    "taxis_tip",
    "breast_cancer",
    "affairs",
    "diabetes",
    "life_expectancy",
)
"""Tables on which the rules were set; all others are fresh."""
NOT_CLEAN = {"life_expectancy": ("country", "iso_alpha", "iso_num", "year"), "bike_hour": ("instant", "dteday", "yr")}
"""Columns that leak in the table as it is: rows of one country, rows that follow each other in time."""


TREND = "made series"
"""Clean controls with a trend, made here because few of the tables have a date."""


@dataclass(frozen=True)
class Case:
    """One leak or control."""

    number: int
    kind: str
    """"clean" for a control."""
    table: str
    seed: int


@dataclass(frozen=True)
class Result:
    """What the audit said."""

    kind: str
    variant: str
    table: str
    seed: int
    half: str
    rows: int
    columns: int
    found: bool
    """The planted leak was named; for a control: some probe failed."""
    failed: str
    """Names of the probes that failed."""
    seconds: float
    """CPU."""


@lru_cache(maxsize=4)
def _table(name: str) -> tuple[automl_tables.Table, pd.DataFrame]:
    table = next(one for one in automl_tables.available() if one.name == name)
    frame = table.read().dropna(subset=[table.target])
    drop = [column for column in NOT_CLEAN.get(name, ()) if column in frame]
    frame = frame.drop(columns=drop).drop_duplicates()
    features = [column for column in frame if column != table.target]
    return table, frame.drop_duplicates(subset=features).reset_index(drop=True)


def names() -> list[str]:
    """The tables that leaks are planted in; the same rows in order of time are no second table."""
    return [table.name for table in automl_tables.available() if not table.by_time]


def scene(name: str, seed: int) -> Scene:
    """Some rows and columns of a table; sometimes another column as the target."""
    table, frame = _table(name)
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    rows = int(random.integers(FEWEST_ROWS, MOST_ROWS)) if len(frame) > FEWEST_ROWS else len(frame)
    frame = frame.iloc[np.sort(random.permutation(len(frame))[: min(rows, len(frame))])].reset_index(drop=True)
    features = [column for column in frame if column != table.target]
    keep = max(min(3, len(features)), round(len(features) * float(random.uniform(0.6, 1.0))))
    chosen = sorted(random.permutation(len(features))[: min(keep, 25)])
    frame = frame[[*(features[place] for place in chosen), table.target]].copy()
    if table.task != "regression":
        frame[table.target] = frame[table.target].map(_label)
        many = frame.groupby(table.target)[table.target].transform("size") >= 12
        frame = frame[many].reset_index(drop=True)
    else:
        frame[table.target] = frame[table.target].astype(float)
    return Scene(name, frame, table.target, table.task, random)


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def cases(leaks: int, controls: int, only: Sequence[str], half: str, trends: int = 0) -> list[Case]:
    """Leaks of each kind over the tables in turn, and as many controls; `trends`: clean series beside them."""
    there = [name for name in names() if not half or _half(name) == half]
    kinds = list(PLANTS)
    made = [Case(n, kinds[n % len(kinds)], there[(n // len(kinds)) % len(there)], n) for n in range(leaks)]
    made += [Case(n, "clean", there[n % len(there)], 10_000 + n) for n in range(controls)]
    made += [Case(n, "clean", TREND, 20_000 + n) for n in range(trends) if half != "tuned"]
    order = np.random.default_rng(0).permutation(len(made))  # so that a part of a run is a fair part
    return [made[place] for place in order if not only or made[place].kind in only]


def _half(table: str) -> str:
    return "tuned" if table in TUNED else "fresh"


def run(case: Case) -> Result:
    """Plant, seal, measure, judge. A draw that the product itself refuses to split is drawn anew."""
    for draw in itertools.count():
        planted, target = _planted(replace(case, seed=case.seed + 100_000 * draw))
        began = time.process_time()
        try:
            with tempfile.TemporaryDirectory() as folder:
                probes = audited(planted, target, Path(folder), case.seed)
            break
        except SealError:
            if draw == 4:
                raise
    failed = [probe for probe in probes if not probe.passed]
    found = bool(failed) if case.kind == "clean" else any(planted.is_named_by(probe) for probe in failed)
    return Result(
        kind=case.kind,
        variant=planted.variant,
        table=case.table,
        seed=case.seed,
        half=_half(case.table),
        rows=len(planted.frame),
        columns=planted.frame.shape[1] - 1,
        found=found,
        failed="; ".join(probe.probe for probe in failed),
        seconds=round(time.process_time() - began, 2),
    )


def _planted(case: Case) -> tuple[Planted, str]:
    """The table of a case, and its target."""
    if case.table == TREND:
        return trending(np.random.default_rng(case.seed)), "sales"
    one = scene(case.table, case.seed)
    planted = Planted("clean", one.frame, ()) if case.kind == "clean" else _first_that_fits(PLANTS[case.kind], one)
    return planted, one.target


def trending(random: np.random.Generator) -> Planted:
    """A clean series, split by time: the date, or one measured column, tells most of “sales”, as is honest."""
    rows = int(random.integers(400, 1500))
    days = np.arange(rows)
    level = random.uniform(0.1, 0.5) * days if random.random() < 0.5 else np.cumsum(random.normal(0.2, 1.0, rows))
    visitors = random.normal(300, 40, rows)
    weekday = random.normal(0, 6, 7)[days % 7]
    noise = random.normal(0, 0.05 * max(float(np.std(level)), 1.0), rows)
    frame = pd.DataFrame(
        {
            "date": pd.Timestamp("2019-01-01") + pd.to_timedelta(days, unit="D"),
            "visitors": visitors,
            "promotion": random.integers(0, 2, rows),
            "sales": 100 + level + weekday + random.uniform(0.0, 0.1) * visitors + noise,
        }
    )
    return Planted("trend", frame, (), split=Split(rule="time", column="date", holdout_fraction=0.25))


def _first_that_fits(variants: Sequence[Plant], one: Scene) -> Planted:
    """The variants of a kind in random order: some need a number as the target, some classes."""
    for place in one.random.permutation(len(variants)):
        planted = variants[int(place)](one)
        if planted is not None:
            return planted
    raise LookupError(f"No variant fits {one.table}.")


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share, scale = hits / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    reach = z / scale * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def summary(results: Sequence[Result]) -> str:
    """The table of the README: detection per kind, false alarms, both with intervals, fresh tables apart."""
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.kind].append(result)
    lines = ["| planted | found | 95 % interval | on tables that set no rule |", "|---|---:|---:|---:|"]
    kinds = [kind for kind in PLANTS if kind in by_kind]
    lines += [_line(kind, by_kind[kind]) for kind in kinds]
    leaks = [result for kind in kinds for result in by_kind[kind]]
    lines += [_line("**all leaks**", leaks)] if leaks else []
    lines += [_line("**clean tables: false alarms**", by_kind["clean"])] if by_kind["clean"] else []
    return "\n".join(lines)


def _line(name: str, results: Sequence[Result]) -> str:
    fresh = [result for result in results if result.half == "fresh"]
    low, high = wilson(_hits(results), len(results))
    return f"| {name} | {_share(results)} | {low:.1%} to {high:.1%} | {_share(fresh)} |"


def _hits(results: Sequence[Result]) -> int:
    return sum(result.found for result in results)


def _share(results: Sequence[Result]) -> str:
    return f"{_hits(results)} of {len(results)} ({_hits(results) / max(len(results), 1):.1%})"


def _read(path: Path) -> list[Result]:
    """What is known already."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Result(**{**row, "found": row["found"] == "True", "seconds": float(row["seconds"])}  # type: ignore[arg-type]
                   | {name: int(row[name]) for name in ("seed", "rows", "columns")})
            for row in csv.DictReader(file)
        ]  # fmt: skip


def _append(path: Path, result: Result) -> None:
    begin = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(asdict(result)), lineterminator="\n")
        if begin:
            writer.writeheader()
        writer.writerow(asdict(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaks", type=int, default=200)
    parser.add_argument("--controls", type=int, default=200)
    parser.add_argument("--trends", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[], choices=[*PLANTS, "clean"])
    parser.add_argument("--half", default="", choices=["", "tuned", "fresh"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    parser.add_argument("--anew", action="store_true", help="forget what stands in the CSV")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--verbose", action="store_true", help="say what was missed and what was a false alarm")
    asked = parser.parse_args()
    if asked.anew:
        asked.out.unlink(missing_ok=True)
    results = _read(asked.out)
    known = {(result.kind, result.table, result.seed) for result in results}
    wanted = cases(asked.leaks, asked.controls, asked.only, asked.half, asked.trends)
    left = [case for case in wanted if (case.kind, case.table, case.seed) not in known]
    with ProcessPoolExecutor(asked.jobs) as pool:
        for result in pool.map(run, left):
            _append(asked.out, result)
            results.append(result)
            if asked.verbose and result.found == (result.kind == "clean"):
                print(result, flush=True)
    text = summary(results)
    print(text)
    print(f"\nCPU seconds per table: median {np.median([result.seconds for result in results]):.2f}")
    if asked.readme:
        real = len({r.table for r in results} - {TREND})
        note = f"`python -m benchmarks.leaks`: {len(results)} cases over {real} real tables and some made series."
        put_into_readme("leaks", f"{text}\n\n{note}")


if __name__ == "__main__":
    main()
