"""Ten kinds of leaks, each in several variants, to be planted into a table; a variant that does not fit is None."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from tools.audit import Probe
from tools.contract import Split

Array = np.ndarray


@dataclass(frozen=True)
class Scene:
    """Rows and columns of a real table, with a generator of its own."""

    table: str
    frame: pd.DataFrame
    target: str
    task: str
    random: np.random.Generator

    @property
    def y(self) -> Array:
        """Numbers, or codes of the classes."""
        column = self.frame[self.target]
        return column.to_numpy(float) if self.task == "regression" else pd.factorize(column, sort=True)[0].astype(float)

    @property
    def is_number(self) -> bool:
        return self.task == "regression"

    @property
    def classes(self) -> int:
        return 0 if self.is_number else int(self.y.max()) + 1


@dataclass(frozen=True)
class Planted:
    """The table with its leak, and how a probe names it."""

    variant: str
    frame: pd.DataFrame
    names: tuple[str, ...]
    """Columns of which a probe has to name one; empty: the probe alone says it."""
    probes: tuple[str, ...] = ("single column", "sums and products")
    beside: tuple[str, ...] = ()
    """Columns that are no features."""
    split: Split | None = None

    def is_named_by(self, probe: Probe) -> bool:
        """Whether this is the finding that was wanted."""
        return probe.probe in self.probes and (
            not self.names or any(f"“{name}”" in probe.detail for name in self.names)
        )


Plant = Callable[[Scene], Planted | None]


def _with(scene: Scene, variant: str, **columns: Array) -> Planted:
    """The columns put at a random place among the others."""
    frame = scene.frame.copy()
    for name, values in columns.items():
        frame.insert(int(scene.random.integers(0, frame.shape[1])), name, values)
    return Planted(variant, frame, tuple(columns))


def _rank(y: Array) -> Array:
    return np.argsort(np.argsort(y, kind="stable"), kind="stable").astype(float)


# 1. The target in other words, per class, plus noise


def recoded(scene: Scene) -> Planted | None:
    if scene.is_number:
        return _with(scene, "recoded", outcome_code=scene.y * 2.5 + 7)
    words = scene.random.permutation([f"group {letter}" for letter in "ABCDEFGHIJKLMNOP"])[: scene.classes]
    return _with(scene, "recoded", outcome_code=words[scene.y.astype(int)])


def one_class(scene: Scene) -> Planted | None:
    if scene.is_number:
        top = scene.y > np.quantile(scene.y, 0.6)
        return _with(scene, "one part", approved_amount=np.where(top, scene.y, np.nan))
    code = scene.random.integers(0, scene.classes)
    if (scene.y == code).sum() < 40:
        return None
    return _with(scene, "one class", approved=np.where(scene.y == code, "yes", "no"))


def with_noise(scene: Scene) -> Planted | None:
    share = scene.random.uniform(0.01, 0.06)
    if scene.is_number:
        noise = scene.random.normal(0, scene.random.uniform(0.02, 0.2) * scene.y.std(), len(scene.y))
        return _with(scene, "plus noise", outcome_score=scene.y + noise)
    wrong = scene.random.random(len(scene.y)) < share
    noisy = np.where(wrong, scene.random.integers(0, scene.classes, len(scene.y)), scene.y)
    return _with(scene, "plus noise", outcome_score=noisy + scene.random.normal(0, 0.1, len(noisy)))


# 2. A sum or a product that contains it


def total(scene: Scene) -> Planted | None:
    if not scene.is_number:
        return None
    y, spread = scene.y, scene.y.std()
    other = scene.random.gamma(2.0, scene.random.uniform(0.5, 2.0) * spread, len(y))
    noise = scene.random.choice([0.0, 0.05]) * spread * scene.random.normal(size=len(y))
    return _with(scene, "total", total=y + other + noise, fee=other)


def product(scene: Scene) -> Planted | None:
    if not scene.is_number or (scene.y <= 0).mean() > 0.02:
        return None
    amount = scene.random.integers(1, 20, len(scene.y)).astype(float)
    noise = np.exp(scene.random.choice([0.0, 0.03]) * scene.random.normal(size=len(scene.y)))
    return _with(scene, "product", revenue=scene.y * amount * noise, quantity=amount)


def counted_in(scene: Scene) -> Planted | None:
    """Of classes: an amount that is paid for one of them only, or for each another one, hidden in a sum."""
    if scene.is_number:
        return None
    code = scene.random.integers(0, scene.classes)
    y = scene.y if scene.classes == 2 else (scene.y == code).astype(float)
    if y.sum() < 40:
        return None
    base = np.round(scene.random.gamma(2.0, 20.0, len(y)), 2)
    return _with(scene, "sum with a class", bill=base + 50.0 * y, bill_before=base)


# 3. Shares that make it up


def shares(scene: Scene) -> Planted | None:
    if not scene.is_number:
        return None
    parts = int(scene.random.integers(3, 11))
    weights = scene.random.dirichlet(np.full(parts, 2.0), len(scene.y))
    return _with(
        scene, f"{parts} parts", **{f"part_{place + 1}": scene.y * weights[:, place] for place in range(parts)}
    )


def ratings(scene: Scene) -> Planted | None:
    """Numbers: shares of five marks whose mean is the target. Classes: points whose shares say the class."""
    rows = len(scene.y)
    if scene.is_number:
        level = (scene.y - scene.y.min()) / max(np.ptp(scene.y), 1e-9) * 4
    else:
        level = scene.y / max(scene.classes - 1, 1) * 4
    low = np.clip(np.floor(level).astype(int), 0, 3)
    base = np.zeros((rows, 5))
    base[np.arange(rows), low] = 1 - (level - low)
    base[np.arange(rows), low + 1] = level - low
    if scene.is_number:
        pull = scene.random.uniform(0, 0.5, rows)[:, None]  # pairs that leave the mean where it is
        middle = base @ np.arange(5)
        around = np.zeros((rows, 5))
        around[:, 0], around[:, 4] = 1 - middle / 4, middle / 4
        base = (1 - pull) * base + pull * around
    else:
        base = 0.9 * base + 0.1 * scene.random.dirichlet(np.ones(5), rows)
    return _with(scene, "rating shares", **{f"marks_{mark + 1}": np.round(100 * base[:, mark], 3) for mark in range(5)})


# 4. A near-copy


def gross(scene: Scene) -> Planted | None:
    if not scene.is_number:
        return None
    rate = scene.random.choice([1.07, 1.19, 1.25], len(scene.y))
    return _with(scene, "gross for net", gross=np.round(scene.y * rate, 2))


def rounded(scene: Scene) -> Planted | None:
    if not scene.is_number or len(np.unique(scene.y)) < 40:
        return None
    step = scene.y.std() * scene.random.uniform(0.1, 0.4)
    return _with(scene, "rounded", about=np.round(scene.y / step) * step)


def bent(scene: Scene) -> Planted | None:
    if not scene.is_number:
        return None
    place = _rank(scene.y) / len(scene.y)
    return _with(scene, "monotone", index=np.exp(3 * place) + scene.random.normal(0, 0.05, len(place)))


def second_opinion(scene: Scene) -> Planted | None:
    if scene.is_number:
        return None
    names = scene.frame[scene.target].to_numpy(object)
    wrong = scene.random.random(len(names)) < scene.random.uniform(0.01, 0.05)
    return _with(scene, "second opinion", review=np.where(wrong, scene.random.permutation(names), names))


# 5. Known only later


def filled_after(scene: Scene) -> Planted | None:
    """A date or a number that exists for one outcome only, and not for all of its rows."""
    if scene.is_number:
        late = scene.y > np.quantile(scene.y, 0.7)
        known = late & (scene.random.random(len(late)) < 0.9)
        return _with(
            scene,
            "filled for high",
            settled_after=np.where(
                known, scene.y * 0.3 + scene.y.std() * 0.05 * scene.random.normal(size=len(late)), np.nan
            ),
        )
    code = int(pd.Series(scene.y).value_counts().index[-1])
    if (scene.y == code).sum() < 60:
        code = int(pd.Series(scene.y).value_counts().index[0])
    known = (scene.y == code) & (scene.random.random(len(scene.y)) < scene.random.uniform(0.6, 1.0))
    if known.sum() < 40:
        return None
    return _with(
        scene, "filled for one class", days_to_close=np.where(known, scene.random.gamma(2, 20, len(known)), np.nan)
    )


def duration(scene: Scene) -> Planted | None:
    """How long it took, which follows from how it ended."""
    if scene.is_number:
        length = np.exp(0.2 * scene.random.normal(size=len(scene.y))) * (_rank(scene.y) / len(scene.y) + 0.05)
        return _with(scene, "duration", hours_worked=100 * length)
    usual = scene.random.permutation(np.geomspace(1, 10.0**scene.classes, scene.classes))[scene.y.astype(int)]
    return _with(scene, "duration", seconds_on_call=usual * np.exp(0.4 * scene.random.normal(size=len(usual))))


# 6. An id that encodes it


def sorted_id(scene: Scene) -> Planted | None:
    order = _rank(scene.y + 1e-9 * scene.random.random(len(scene.y)))
    return _with(scene, "counted in order", record_no=(100_000 + 3 * order).astype(int))


def last_digit(scene: Scene) -> Planted | None:
    if scene.is_number or scene.classes > 9:
        return None
    serial = scene.random.permutation(len(scene.y)) + 5000
    return _with(scene, "last digit", serial_no=serial * 10 + scene.y.astype(int))


def marked_code(scene: Scene) -> Planted | None:
    """A code that is different in every row, with the outcome in one of its places."""
    tail = scene.random.integers(0, 16**6, len(scene.y))
    place = (10 * _rank(scene.y) / len(scene.y)).astype(int) if scene.is_number else scene.y.astype(int)
    marks = scene.random.permutation(list("0123456789abcdef"))
    codes = [f"{value:06x}" for value in tail]
    at = int(scene.random.integers(0, 6))
    made = [f"{code[:at]}{marks[p]}{code[at:]}" for code, p in zip(codes, place, strict=True)]
    return _with(scene, "in a code", reference=np.array(made, dtype=object))


# 7. Twins across the split


def _repeated(scene: Scene, jitter: float) -> pd.DataFrame:
    share = scene.random.uniform(0.15, 0.5)
    again = scene.frame.iloc[scene.random.permutation(len(scene.frame))[: int(share * len(scene.frame))]].copy()
    for name in again.columns if jitter else ():
        if name != scene.target and pd.api.types.is_float_dtype(again[name]):
            again[name] += jitter * float(scene.frame[name].std()) * scene.random.normal(size=len(again))
    both = pd.concat([scene.frame, again], ignore_index=True)
    return both.iloc[scene.random.permutation(len(both))].reset_index(drop=True)


def twins(scene: Scene) -> Planted | None:
    return Planted("exact", _repeated(scene, 0.0), (), ("duplicates across the split",))


def near_twins(scene: Scene) -> Planted | None:
    """Rows measured again: all fine numbers moved a little."""
    fine = [
        name
        for name in scene.frame
        if name != scene.target
        and pd.api.types.is_float_dtype(scene.frame[name])
        and scene.frame[name].nunique() > max(30, 0.05 * len(scene.frame))
        and scene.frame[name].notna().mean() > 0.8
    ]
    if len(fine) < 3:
        return None
    return Planted("near", _repeated(scene, 0.002), (), ("near twins across the split", "duplicates across the split"))


# 8. Entities across the split


def entities(scene: Scene) -> Planted | None:
    """Each entity gives several rows: its own columns stay, others vary, the target is mostly the entity's."""
    rows = len(scene.frame)
    each = int(scene.random.integers(4, 9))
    count = max(40, rows // each)
    of = scene.random.integers(0, count, rows)
    source = scene.random.permutation(rows)[:count] if count <= rows else scene.random.integers(0, rows, count)
    features = [name for name in scene.frame if name != scene.target]
    own = [features[place] for place in scene.random.permutation(len(features))[: max(2, len(features) // 2)]]
    frame = scene.frame.copy()
    for name in own:
        frame[name] = scene.frame[name].to_numpy()[source][of]
    frame["height_of_it"] = scene.random.normal(size=count)[of]
    frame["start_of_it"] = scene.random.normal(size=count)[of]
    if scene.is_number:
        level = scene.y[source][scene.random.permutation(count)]
        noise = 0.15 * scene.y.std() * scene.random.normal(size=rows)
        frame[scene.target] = level[of] + noise
    else:
        mine = scene.frame[scene.target].to_numpy(object)[source][scene.random.permutation(count)][of]
        others = scene.random.random(rows) < 0.08
        frame[scene.target] = np.where(others, scene.frame[scene.target].to_numpy(object), mine)
    names = np.array([f"P{1000 + 7 * number}" for number in range(count)])[of]
    frame.insert(0, "patient", names)
    return Planted("entities", frame, ("patient",), ("entities across the split",))


# 9. Future rows


def future_rows(scene: Scene) -> Planted | None:
    """Rows in time, with a level that wanders: nobody knows it beforehand, but between its neighbours it is plain."""
    rows = len(scene.frame)
    wander = lfilter([1.0], [1.0, -np.exp(-15 / rows)], scene.random.normal(size=rows))  # some fifteen swings
    wander = (wander - wander.mean()) / wander.std()
    start = pd.Timestamp("2019-01-01") + pd.Timedelta(days=int(scene.random.integers(0, 900)))
    frame = scene.frame.copy()
    frame.insert(0, "recorded_at", start + pd.to_timedelta(np.arange(rows) * 6, unit="h"))
    if scene.is_number:
        frame[scene.target] = scene.y + scene.random.uniform(1.5, 3.0) * scene.y.std() * wander
    else:
        names = np.sort(scene.frame[scene.target].unique())
        cuts = np.quantile(wander, np.linspace(0, 1, len(names) + 1)[1:-1])
        of_its_time = names[np.searchsorted(cuts, wander)]
        stays = scene.random.random(rows) < 0.25
        frame[scene.target] = np.where(stays, scene.frame[scene.target].to_numpy(object), of_its_time)
    frame = frame.iloc[scene.random.permutation(rows)].reset_index(drop=True)
    return Planted("wandering level", frame, ("recorded_at",), ("later rows",))


def later_date(scene: Scene) -> Planted | None:
    """A split by time, with the date on which the row's case was closed among the features."""
    rows = len(scene.frame)
    moment = pd.Timestamp("2021-03-01") + pd.to_timedelta(np.arange(rows) * 3, unit="h")
    wait = pd.to_timedelta(scene.random.gamma(2, 48, rows), unit="h")
    frame = scene.frame.copy()
    frame.insert(0, "opened", moment)
    frame.insert(1, "closed", moment + wait)
    split = Split(rule="time", column="opened", holdout_fraction=0.25)
    return Planted("date after the row", frame, ("closed",), ("dates after the row",), split=split)


# 10. A code column


def code_column(scene: Scene) -> Planted | None:
    """Many codes, each of which stands for one class, or for a narrow range of the number."""
    groups = 30 if scene.is_number else scene.classes
    of = (groups * _rank(scene.y) / len(scene.y)).astype(int) if scene.is_number else scene.y.astype(int)
    each = int(scene.random.integers(1, 3) if scene.is_number else scene.random.integers(3, 15))
    codes = scene.random.permutation(groups * each)
    drawn = of * each + scene.random.integers(0, each, len(of))
    wrong = scene.random.random(len(of)) < scene.random.choice([0.0, 0.02])
    drawn = np.where(wrong, scene.random.integers(0, groups * each, len(of)), drawn)
    return _with(scene, "codes", tariff=np.array([f"T{number:03d}" for number in codes])[drawn])


def numbered_code(scene: Scene) -> Planted | None:
    """The same with whole numbers for codes, in no order."""
    made = code_column(scene)
    assert made is not None
    digits = made.frame["tariff"].str[1:].astype(int)
    return Planted("numbered codes", made.frame.assign(tariff=digits), ("tariff",))


PLANTS: dict[str, Sequence[Plant]] = {
    "the target in other words": (recoded, one_class, with_noise),
    "a sum or product with it": (total, product, counted_in),
    "shares that make it up": (shares, ratings),
    "a near-copy": (gross, rounded, bent, second_opinion),
    "known only later": (filled_after, duration),
    "an id that encodes it": (sorted_id, last_digit, marked_code),
    "twins across the split": (twins, near_twins),
    "entities across the split": (entities,),
    "future rows": (future_rows, later_date),
    "a code column": (code_column, numbered_code),
}
