"""Tables for a first try without a file. They are scikit-learn's, so they need no network; names are made readable."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

Cell = str | int | float
Table = tuple[list[str], Iterator[Sequence[Cell]]]


@dataclass(frozen=True)
class Sample:
    """A built-in table and a sentence to start with."""

    name: str
    title: str
    description: str
    request: str
    """A sentence that names the sample, so that it works without a file."""
    target: str

    @property
    def label(self) -> str:
        """What a button says."""
        return self.title


SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        sample.name: sample
        for sample in (
            Sample(
                "iris",
                "Iris flowers",
                "150 flowers of three species, measured in centimetres (Fisher 1936).",
                "Predict the species in the iris sample",
                "species",
            ),
            Sample(
                "breast_cancer",
                "Breast cancer",
                "569 tumours, benign or malignant, described by 30 measures of their cells (Wisconsin, 1995).",
                "Predict the diagnosis in the breast cancer sample",
                "diagnosis",
            ),
            Sample(
                "diabetes",
                "Diabetes progression",
                "442 patients and how far their diabetes went on within a year (Efron et al. 2004).",
                "Predict the progression in the diabetes sample",
                "progression",
            ),
            Sample(
                "wine",
                "Wines of three growers",
                "178 Italian wines of three cultivars and what a chemist found in them (Forina et al. 1991).",
                "Predict the cultivar in the wine sample",
                "cultivar",
            ),
            Sample(
                "digits",
                "Handwritten digits",
                "1,797 handwritten digits as 8 by 8 grey values (Alpaydin and Kaynak 1998).",
                "Predict the digit in the digits sample",
                "digit",
            ),
        )
    }
)


def is_sample(name: str) -> bool:
    """The name of a built-in table; capitals, blanks and hyphens do not matter."""
    return _key(name) in SAMPLES


def write_sample(name: str, folder: Path) -> Path:
    """Write the table as CSV into `folder`, the same bytes every time; LookupError when there is no such sample."""
    key = _key(name)
    if key not in SAMPLES:
        raise LookupError(f"There is no sample {name!r} (choose {', '.join(SAMPLES)}).")
    header, rows = _TABLES[key]()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{key}.csv"
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, prefix=".sample-", encoding="utf-8", newline="", delete=False
    ) as out:
        out.write(text.getvalue())
    Path(out.name).replace(target)
    return target


def _key(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _load(name: str) -> Any:
    from sklearn import datasets  # a second to import, and most runs need no sample

    return getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))


def _classes(name: str, target: str, words: Sequence[str], names: Sequence[str] = ()) -> Table:
    """Features as they are, classes by their words."""
    found = _load(name)
    header = [*(names or [str(feature).replace(" ", "_") for feature in found.feature_names]), target]
    pairs = zip(found.data.tolist(), found.target.tolist(), strict=True)
    return header, ([*cells, words[label]] for cells, label in pairs)


def _iris() -> Table:
    names = [f"{part}_{size}_cm" for part in ("sepal", "petal") for size in ("length", "width")]
    return _classes("iris", "species", ("setosa", "versicolor", "virginica"), names)


def _breast_cancer() -> Table:
    return _classes("breast_cancer", "diagnosis", ("malignant", "benign"))


def _wine() -> Table:
    names = [str(name).replace("od280/od315_of_diluted_wines", "od280_od315") for name in _load("wine").feature_names]
    return _classes("wine", "cultivar", ("barolo", "grignolino", "barbera"), names)


def _diabetes() -> Table:
    """In the original units; s1 to s6 are blood serum measures, named as in the authors' data description."""
    found = _load("diabetes")
    names = ["age", "sex", "bmi", "blood_pressure", "total_cholesterol", "ldl", "hdl", "cholesterol_ratio"]
    header = [*names, "log_triglycerides", "blood_sugar", "progression"]
    pairs = zip(found.data.tolist(), found.target.tolist(), strict=True)
    return header, ([_whole(cell) for cell in (*cells, value)] for cells, value in pairs)


def _digits() -> Table:
    found = _load("digits")
    header = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["digit"]
    pairs = zip(found.data.tolist(), found.target.tolist(), strict=True)
    return header, ([*(int(cell) for cell in cells), int(label)] for cells, label in pairs)


def _whole(cell: float) -> Cell:
    return int(cell) if cell == int(cell) else cell


_TABLES: Mapping[str, Callable[[], Table]] = MappingProxyType(
    {"iris": _iris, "breast_cancer": _breast_cancer, "wine": _wine, "diabetes": _diabetes, "digits": _digits}
)
