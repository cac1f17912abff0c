"""How often do intervals hold the truth, and how large are they? `python -m benchmarks.coverage [--seeds N]`.

Each data set is split anew for each seed: 40 % of the rows train, 20 % choose the epoch, and 40 % are the test rows.
One half of these calibrates (`conformal.calibrated`), the other is asked. `jaxnn train --seed N` has the same network
with `--test 0.4`.

    held    share of the asked rows whose truth is in its range or set: mean over the seeds ± its standard error, which
            is somewhat too small, since the seeds share rows
    size    numbers: width of the range in standard deviations of the target; classes: how many are in the set
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import environment
from jaxnn import conformal, data, experiments

DATA_SETS = ("diabetes", "breast_cancer", "digits")
LEVELS = (0.8, 0.9, 0.95, 0.99)


def asked(name: str, seed: int) -> dict[float, tuple[float, float]]:
    """For each level, the share held and the mean size, on one split."""
    outcome = experiments.run(name, validation=0.2, test=0.4, seed=seed, compare=False, progress=False)
    whole, test = data.load(name), outcome.rows.split.test
    targets = np.asarray(outcome.source.target)
    calibrating, other = test[: len(test) // 2], test[len(test) // 2 :]
    held = conformal.calibrated(outcome.model, whole.x[calibrating], targets[calibrating])
    levels = [level for level in LEVELS if conformal.least_rows(round(100 * level)) <= len(calibrating)]
    return {level: measured(conformal.regions(held, whole.x[other], level=level), targets[other]) for level in levels}


def measured(regions: Mapping[str, Any], truth: np.ndarray) -> tuple[float, float]:
    """The share of true targets in their regions, and the mean size of these."""
    if "classes" in regions:
        within = [label in likely for label, likely in zip(truth.tolist(), regions["classes"], strict=True)]
        return float(np.mean(within)), float(np.mean([len(likely) for likely in regions["classes"]]))
    lower, upper = regions["lower"], regions["upper"]
    return float(np.mean((lower <= truth) & (truth <= upper))), float(np.mean(upper - lower) / truth.std())


def line(name: str, level: float, found: Sequence[tuple[float, float]]) -> str:
    """A row of the table."""
    held, size = np.array(found).T
    error = held.std(ddof=1) / np.sqrt(len(held)) if len(held) > 1 else float("nan")
    return f"| {name} | {level:g} | {held.mean():.3f} ± {error:.3f} | {size.mean():.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table of docs/uncertainty.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description="How often do intervals hold?")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="splits of each data set (default: 20)")
    parser.add_argument("--only", nargs="+", choices=DATA_SETS, default=DATA_SETS, help="data sets (default: all)")
    options = parser.parse_args(arguments)
    print("| data set | level | held | size |", "|---|---:|---:|---:|", sep="\n")
    for name in options.only:
        found = [asked(name, seed) for seed in range(options.seeds)]
        for level in found[0]:
            print(line(name, level, [each[level] for each in found]), flush=True)
    print("\n" + ", ".join(str(value) for value in environment().values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
