"""How often the 90 % interval of the share of anomalies covers the truth.

    python benchmarks/share.py                  # about a minute
    python benchmarks/share.py --runs 300

The first table is exact: an audit of rows drawn at random, and nothing else. In the
second, four times as many rows are chosen from the top of a ranking (anomalies score
1.5 standard deviations more than normal rows, AUROC 0.86), and the coverage is counted
over the runs. Coverage is above 90 % where few anomalies can be seen, since counts are
whole numbers, and where nearly all of them are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from scipy import stats

from whitecrow.active.ratio import Estimate, estimate

SIZES, AUDITED = (100_000, 20_000), (100, 500)
SHARES = (0.0005, 0.001, 0.003, 0.01, 0.05, 0.1, 0.3)
CHOSEN = 4  # for each audited row
GAP = 1.5
_EPSILON = 1e-9  # at the ends of what is known, truth and end are the same number


@cache
def of_audit(n: int, audited: int, hits: int) -> Estimate:
    """The estimate from an audit with so many anomalies."""
    codes = np.full(n, -1, np.int8)
    codes[:audited] = np.arange(audited) < hits
    return estimate(codes, np.arange(audited))


def covers(found: Estimate, share: float) -> bool:
    return found.low - _EPSILON <= share <= found.high + _EPSILON


def alone(n: int, audited: int, share: float) -> float:
    """Coverage with an audit and nothing else, over all that it can show."""
    seen = stats.hypergeom(n, round(share * n), audited)
    counts = np.arange(seen.ppf(1e-5), seen.isf(1e-5) + 1, dtype=int)
    inside = [covers(of_audit(n, audited, int(hits)), share) for hits in counts]
    return float(seen.pmf(counts) @ inside)


def ranked(n: int, share: float, gap: float, rng: np.random.Generator) -> Any:
    """Labels of all rows, the highest score first."""
    odd = round(share * n)
    above = stats.norm.sf(rng.normal(gap, size=odd)) * (n - odd)
    y = np.zeros(n, np.int8)
    y[np.minimum(np.sort(above.astype(int)) + np.arange(odd), n - 1)] = 1
    return y


def one(
    n: int, audited: int, share: float, rng: np.random.Generator, gap: float = GAP
) -> tuple[Estimate, float]:
    """An estimate from an audit and chosen rows, and the true share."""
    y = ranked(n, share, gap, rng)
    audit = rng.choice(n, audited, replace=False)
    known = np.union1d(np.arange(CHOSEN * audited), audit)
    codes = np.full(n, -1, np.int8)
    codes[known] = y[known]
    return estimate(codes, audit, places=(np.arange(n) + 0.5) / n), float(y.mean())


def with_chosen(
    n: int, audited: int, share: float, runs: int = 100, gap: float = GAP
) -> float:
    """Coverage with chosen rows beside the audit."""
    seeds = (np.random.default_rng([seed, n, audited]) for seed in range(runs))
    found = (one(n, audited, share, rng, gap) for rng in seeds)
    return float(np.mean([covers(*each) for each in found]))


def show(title: str, coverage: Callable[[int, int, float], float]) -> None:
    print(title)
    print("   rows  audited " + "".join(f"{share:>8}" for share in SHARES))
    for n in SIZES:
        for audited in AUDITED:
            row = (coverage(n, audited, share) for share in SHARES)
            cells = "".join(f"{value:8.1%}" for value in row)
            print(f"{n:7,}  {audited:7} {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    given = parser.parse_args()
    show("Coverage of the 90 % interval, audit alone, by true share", alone)
    show(
        f"With {CHOSEN} chosen rows for each audited one, {given.runs} runs",
        partial(with_chosen, runs=given.runs),
    )


if __name__ == "__main__":
    main()
