"""`--folds K` of `jaxnn train`: cross-validated scores before the network that is kept is trained."""

from collections.abc import Sequence
from typing import Any

# Arguments of `experiments.run` that `experiments.cross_validate` takes too.
SHARED = ("recipe", "metric", "class_weight", "class_weight_on_validation")


def check(options: Any) -> None:
    """Raises ValueError for an option that cannot be combined with folds."""
    if options.folds and options.ensemble:
        raise ValueError("--folds scores a single network on each fold: leave it out, or leave out --ensemble.")


def cross_validated(source: Any, folds: int, *, seed: int, quiet: bool, **settings: Any) -> str | None:
    """Trains on every fold and prints the mean and the spread of the scores.

    Args:
        source: an `experiments.Source`.
        folds: how many, ≥ 2.
        seed: decides the folds and the networks.
        quiet: whether to print only the first score, without progress.
        **settings: arguments of `experiments.run`; those in `SHARED` are used.

    Returns:
        The signal that ended the run, "SIGINT" or "SIGTERM"; or None.

    Raises:
        ValueError, ImportError: as `experiments.cross_validate` raises them.
    """
    from jaxnn.cli import report
    from jaxnn.cli.text import fact, table
    from jaxnn.experiments import cross_validate

    taken = {name: settings[name] for name in SHARED if name in settings}
    found = cross_validate(source, folds=folds, seed=seed, progress=not quiet, **taken)
    if found.interrupted is not None:
        return found.interrupted
    names = list(dict.fromkeys(name for each in found.scores for name in each))
    cells = {}
    for name in names:
        known = [each[name] for each in found.scores if name in each]
        cells[name] = " ± ".join(report.number(name, value) for value in mean_and_spread(known))
    if quiet:
        print(f"{folds} folds {names[0]} {cells[names[0]]}")
        return None
    table(("", *names), [(f"{folds} folds", *cells.values())])
    print()
    fact(
        "folds",
        f"mean ± standard deviation over {folds} networks, each scored on the {source.n_rows // folds:,} or so of the"
        f" {source.n_rows:,} rows that it was not trained on, which also chose its best epoch",
    )
    print()
    return None


def mean_and_spread(scores: Sequence[float]) -> tuple[float, float]:
    """The mean of the scores and their standard deviation, √(Σ (s - s̄)² / (K - 1)), which is nan for a single one."""
    import numpy as np

    return float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else float("nan")
