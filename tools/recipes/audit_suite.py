"""All probes of the audit in the order in which time is spent on them; what there is no time for is named.

A piece of the audit program (tools/recipes/audit.py), which carries it as text.
"""

import re
import time

import numpy as np
import pandas as pd

from tools.recipes.audit_columns import alone, columns_of, each_alone, suspects, weighed
from tools.recipes.audit_identities import identities
from tools.recipes.audit_models import by_tree, folds_of, out_of_fold, power
from tools.recipes.audit_rows import apart, boosted, by_entity, in_order, near_twins, wrong_labels

PLANTED_IN = 500  # rows of the self-test
MOST_ENTITIES = 2
MOST_DATES = 2
COUNTER = re.compile(r"(^|_)(id|no|nr|number|instant|index|seq|row|counter|step|period|day|date|time|year|month)(_|$)")


ID_NAME = re.compile(r"(^|_)id(_|$)|[a-z](Id|ID)$")


class Audit:
    """One run of all probes; `found` is what is written, `clock` says whether there is time for more."""

    def __init__(self, table, holdout, *, about, seconds, own=None):
        self.about, self.seconds = about, seconds
        self.began = time.process_time(), time.monotonic()
        self.places = np.arange(len(table))
        if len(table) > about["MAX_ROWS"]:
            self.places = np.sort(np.random.default_rng(about["SEED"]).permutation(len(table))[: about["MAX_ROWS"]])
        self.table, self.holdout, self.own = table, holdout, own
        self.classes, self.seed = len(about["CLASSES"]), about["SEED"]
        self.y = self.target(self.places)
        self.columns = self.features(table, self.places)
        self.found = {"skipped": [], "took": {}}

    def target(self, places):
        values = self.table[self.about["TARGET"]].iloc[places]
        if not self.classes:
            return values.to_numpy().astype(float)
        codes = {label: code for code, label in enumerate(self.about["CLASSES"])}
        return values.map(codes).to_numpy().astype(int)

    def features(self, table, places):
        """Single words of a text column are a code like any other; longer texts are not tried."""
        codes = [name for name in self.about["TEXTS"] if _is_code(table[name].iloc[places])]
        kinds = self.about["NUMBERS"], [*self.about["CATEGORIES"], *codes], self.about["DATES"]
        return columns_of(table.iloc[places], *kinds)

    def enough(self):
        """By the processor's clock, so that a busy machine costs no probe; by the wall clock at three times that."""
        worked, waited = time.process_time() - self.began[0], time.monotonic() - self.began[1]
        return worked > self.seconds or waited > 3 * self.seconds

    def run(self):
        for name, step in [
            ("single column", self.singles),
            ("shuffled target", self.canary),
            ("leaking columns", self.suspects),
            ("self-test", self.self_test),
            ("identities", self.identities),
            ("time", self.order),
            ("entities", self.entities),
            ("near twins", self.near),
            ("labels", self.labels),
            ("same rows", self.apart),
        ]:
            if self.enough() and name not in ("single column", "shuffled target"):
                self.found["skipped"].append(name)
                continue
            began = time.monotonic()
            step()
            self.found["took"][name] = round(time.monotonic() - began, 3)
        return self.found

    def singles(self):
        self.tried = each_alone(self.columns, self.y, self.classes, self.seed, self.enough)
        self.found |= {
            "metric": "r2" if not self.classes else "roc_auc" if self.classes == 2 else "balanced_accuracy",
            "rows": len(self.y),
            "single": {name: power(self.y, self.classes, out) for name, (_, out) in self.tried.items()},
        }

    def canary(self):
        """A small tree on all columns, categories as codes; then again with the target shuffled."""
        if not self.columns:
            self.found |= {"real": None, "shuffled": []}
            return
        some = list(self.columns.values())[:200]
        x = np.column_stack([c if c.dtype == float else pd.factorize(c)[0] for c in some])

        def together(y):
            folds = folds_of(y, self.classes, self.seed)
            said = out_of_fold(y, self.classes, lambda y, k, a, b: by_tree(x, y, k, a, b, self.seed), folds)
            return power(y, self.classes, said)

        generator = np.random.default_rng(self.seed)
        shuffled = [together(generator.permutation(self.y)) for _ in range(self.about["SHUFFLES"])]
        self.found |= {"real": together(self.y), "shuffled": shuffled}

    def suspects(self):
        self.found["suspects"] = suspects(self.columns, self.tried, self.y, self.classes, self.seed, self.enough)

    def identities(self):
        self.found["identities"] = identities(
            self.columns, self.y, self.classes, self.seed, _as_numbers(self.about["CLASSES"]), self.enough
        )

    def usual(self):
        """What boosted trees on all columns say about each row, unseen; made once."""
        if not hasattr(self, "_usual"):
            folds = folds_of(self.y, self.classes, self.seed)
            self._usual = boosted(self.columns, self.y, self.classes, folds, self.seed)
        return self._usual

    def order(self):
        """Only for rows that were not split by time: would later rows have been told as well?"""
        self.found["order"] = []
        if self.about["SPLIT"] == "time" or not self.columns:
            return
        for name, moment in self.moments()[:MOST_DATES]:
            seen = in_order(self.columns, self.y, self.classes, moment, self.usual(), self.seed)
            self.found["order"] += [{"column": name, **seen}] if seen else []

    def moments(self):
        """Columns that may say when a row happened, as numbers: dates, and whole numbers that count."""
        dates = [(name, self.columns[name].to_numpy()) for name in self.about["DATES"]]
        counters = [(name, self.columns[name].to_numpy()) for name in self.about["NUMBERS"] if COUNTER.search(name)]
        return [*dates, *((name, values) for name, values in counters if _counts(values))]

    def entities(self):
        self.found["entities"] = []
        if not self.columns:
            return
        for name, places in self.repeated()[:MOST_ENTITIES]:
            entity = self.table[name].iloc[places]
            others = {n: c for n, c in self.features(self.table, places).items() if n != name}
            if others and not self.enough():
                seen = by_entity(others, self.target(places), self.classes, entity.to_numpy(), self.seed)
                self.found["entities"] += [{"column": name, **seen}] if seen else []

    def repeated(self):
        """Columns whose values name things with several rows each, and rows of whole such things."""
        if self.about["SPLIT"] == "group":
            return []
        found = []
        for name in [*self.about["CATEGORIES"], *self.about["NUMBERS"]]:
            codes = pd.factorize(self.table[name])[0]
            if _names_things(self.table[name], codes):
                order = np.random.default_rng(self.seed).permutation(codes.max() + 1)
                places = np.flatnonzero(codes >= 0)
                ranked = places[np.argsort(order[codes[places]], kind="stable")][: self.about["MAX_ROWS"]]
                found.append((name, np.sort(ranked)))
        return found

    def near(self):
        if self.holdout is not None and self.about["SPLIT"] != "time":
            here, there = (self.features(part, np.arange(len(part))) for part in (self.table, self.holdout))
            self.found["near"] = near_twins(here, there, self.seed)

    def labels(self):
        if self.classes and self.columns:
            self.found["labels"] = wrong_labels(self.y, self.classes, self.usual())

    def apart(self):
        if self.holdout is not None and self.columns:
            few = np.sort(np.random.default_rng(1).permutation(len(self.holdout))[: self.about["MAX_ROWS"] // 2])
            columns = self.columns
            if self.own is not None:  # of two tables, those of the hold-out's own: the other may well be different
                some = np.random.default_rng(self.seed).permutation(len(self.own))[: self.about["MAX_ROWS"]]
                columns = self.features(self.own, np.sort(some))
            mine = {name: column for name, column in columns.items() if name != self.about["SPLIT_COLUMN"]}
            self.found["apart"] = apart(mine, self.features(self.holdout, few), self.seed) if mine else None

    def self_test(self):
        """Leaks of our own, planted into a copy of some rows, and columns that cannot know anything."""
        generator = np.random.default_rng(self.seed)
        some = np.sort(generator.permutation(len(self.y))[:PLANTED_IN])
        y, classes = self.y[some], self.classes
        if classes:
            often = np.flatnonzero(np.bincount(y, minlength=classes) >= 6)
            some, classes = some[np.isin(y, often)], len(often)
            y = np.searchsorted(often, self.y[some])
        if len(y) < 60 or classes == 1:
            self.found["self_test"] = []
            return
        columns = {name: column.iloc[some].reset_index(drop=True) for name, column in self.columns.items()}
        folds = folds_of(y, classes, self.seed)
        without = boosted(columns, y, classes, folds, self.seed)
        self.found["self_test"] = []
        for planted, column in _planted(y, classes, generator).items():
            if self.enough():
                break
            tried = {planted: alone(column, y, classes, folds, self.seed)}
            both = {planted: column}
            row = weighed(planted, both, tried, y, classes, self.seed, without)
            self.found["self_test"].append(row)
        if not classes:
            part = pd.Series(generator.permutation(y) * 0.7 + float(np.ptp(y)))
            with_total = {"part": part, "total": part + y}
            self.found["self_test_sum"] = identities(with_total, y, 0, self.seed)[:1]


def _planted(y, classes, generator):
    """{what: column}; names that begin with "clean" are no leaks."""
    rows = len(y)
    if classes:
        wrong = generator.random(rows) < 0.03
        noisy = np.where(wrong, generator.integers(0, classes, rows), y)
        codes = pd.Series(
            [f"k{7 * code + 3}{mark}" for code, mark in zip(y, generator.choice(list("abc"), rows), strict=True)]
        )
        known = np.where((y == y[0]) & (generator.random(rows) < 0.8), generator.normal(size=rows), np.nan)
        found = {"noisy copy": pd.Series(noisy.astype(float)), "code": codes, "filled for one class": pd.Series(known)}
    else:
        copy = y + generator.normal(0, 0.05 * y.std(), rows)
        bins = pd.qcut(pd.Series(y).rank(method="first"), 25, labels=False)
        ids = np.argsort(np.argsort(y, kind="stable")) * 3.0 + 10_000
        found = {"noisy copy": pd.Series(copy), "code": bins.map("k{}".format), "number of the row": pd.Series(ids)}
    found["clean number"] = pd.Series(generator.normal(size=rows))
    found["clean category"] = pd.Series(generator.choice(list("abcdefgh"), rows))
    return found


def _is_code(column):
    words = column.dropna().astype(str).head(200)
    return len(words) > 0 and words.str.count(r"\s").mean() < 0.5 and words.str.len().mean() < 40


def _as_numbers(labels):
    try:
        return [float(label) for label in labels] if labels else None
    except ValueError:
        return None


def _counts(values):
    """Whole numbers, nearly all different."""
    there = values[~np.isnan(values)]
    return len(there) > 50 and np.all(there == np.floor(there)) and len(np.unique(there)) > 0.9 * len(there)


def _names_things(column, codes):
    """Values that repeat a few times each, too many of them for a category: 2 to 40 rows each."""
    rows = len(codes)
    if rows < 60 or pd.api.types.is_float_dtype(column) and (column.dropna() % 1 != 0).any():
        return False
    if pd.api.types.is_datetime64_any_dtype(column) or column.dtype == bool:
        return False
    things = codes.max() + 1
    several = (np.bincount(codes[codes >= 0]) > 1).sum() if things > 0 else 0
    each = rows / max(things, 1)
    is_named = not pd.api.types.is_numeric_dtype(column) or bool(ID_NAME.search(str(column.name)))
    return is_named and things >= 15 and 1.3 <= each <= 40 and several >= 0.2 * things
