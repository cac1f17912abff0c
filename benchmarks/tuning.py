"""Does tuning help? `search.tune` on five bundled data sets, its best trial against the defaults on rows held out.

Both are the mean of five networks, one for each fold, and both are scored on test rows that no trial saw. For each data
set, several splits into test and other rows; what is told is the mean over them, and of the differences also their
standard error: a difference within two of these is noise.

python -m benchmarks.tuning [--seconds S] [--splits N] prints the table of docs/search.md.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.harness import environment
from jaxnn import search

DATA_SETS = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def compared(name: str, seconds: float, seed: int) -> tuple[int, float, float]:
    """How many trials there were, and the loss on the test rows of the defaults and of the best trial."""
    found = search.tune(name, seconds=seconds, seed=seed, progress=False)
    best = found.scores["test"]
    defaults = found.scores.get("test, defaults", best)  # the same if the defaults are best
    loss = "log loss" if "log loss" in best else "RMSE"
    return len(found.trials), defaults[loss], best[loss]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description="Does tuning help?")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each search (default: 30)")
    parser.add_argument("--splits", type=int, default=5, help="splits of each data set (default: 5)")
    parser.add_argument("--only", metavar="NAME", choices=DATA_SETS, help="one data set")
    options = parser.parse_args(arguments)
    libraries = environment()
    print(f"{libraries['processor']}, {libraries['cores']} cores, {options.seconds:g} s for each search.\n")
    print("| data set | trials | defaults | tuned | difference ± its standard error |")
    print("|---|---:|---:|---:|---:|")
    for name in DATA_SETS if options.only is None else (options.only,):
        rows = np.array([compared(name, options.seconds, seed) for seed in range(options.splits)])
        trials, defaults, tuned = rows.mean(axis=0)
        difference = rows[:, 2] - rows[:, 1]
        error = difference.std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
        unit = "RMSE" if name == "diabetes" else "log loss"
        told = (f"{name}, {unit}", f"{trials:.0f}", f"{defaults:.3f}", f"{tuned:.3f}")
        print(f"| {' | '.join(told)} | {difference.mean():+.3f} ± {error:.3f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
