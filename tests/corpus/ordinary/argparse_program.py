"""Usage: script.py [--min-support N] [--top K]"""
import argparse
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pandas as pd


def parse(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--min-support", type=int, default=20)
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--input", type=Path, default=Path("inputs/baskets.csv"))
    return parser.parse_args(argv)


def main(argv=None) -> int:
    args = parse(argv)
    if not args.input.exists():
        print(f"no such file: {args.input}", file=sys.stderr)
        return 2
    baskets = pd.read_csv(args.input).groupby("basket")["item"].agg(set)
    pairs = Counter()
    for items in baskets:
        pairs.update(combinations(sorted(items), 2))
    rows = [(a, b, n) for (a, b), n in pairs.most_common(args.top) if n >= args.min_support]
    pd.DataFrame(rows, columns=["a", "b", "together"]).to_csv("outputs/pairs.csv", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
