"""Mean and variance of a file that does not fit into memory (Welford)."""
import sys
from typing import Iterator, NamedTuple

import pandas as pd


class Moments(NamedTuple):
    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def plus(self, values) -> "Moments":
        n, mean, m2 = len(values), values.mean(), ((values - values.mean()) ** 2).sum()
        if not n:
            return self
        total, delta = self.n + n, mean - self.mean
        return Moments(total, self.mean + delta * n / total, self.m2 + m2 + delta**2 * self.n * n / total)

    @property
    def std(self) -> float:
        return (self.m2 / (self.n - 1)) ** 0.5 if self.n > 1 else float("nan")


def chunks(path: str, column: str, size: int = 250_000) -> Iterator[pd.Series]:
    for chunk in pd.read_csv(path, usecols=[column], chunksize=size):
        yield chunk[column].dropna()


state = Moments()
for i, values in enumerate(chunks("inputs/huge.csv", "latency_ms")):
    state = state.plus(values)
    sys.stdout.write(f"\r{i}: {state.n:,} rows")
    sys.stdout.flush()
print(f"\nmean {state.mean:.3f}, std {state.std:.3f}")
