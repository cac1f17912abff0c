"""How good a model is on each part of the rows, and by which metrics its training is followed."""

from typing import Any

import numpy as np

from jaxnn import checks, metrics
from jaxnn.experiments.rows import Rows

TOP_K = 2  # of the metric top_k_accuracy, which is given by its name alone


def scores(rows: Rows, outputs: Any) -> dict[str, dict[str, float]]:
    """The metrics of the parts that were held out (of the training rows if none was), from all rows' raw outputs."""
    return {name: score(rows, outputs, rows.part(name)) for name in rows.judged}


def score(rows: Rows, outputs: Any, chosen: np.ndarray) -> dict[str, float]:
    """The metrics of the rows of these numbers, from all rows' raw outputs (n, n_out)."""
    weight = None if rows.weight is None else rows.weight[chosen]
    return rows.problem.scores(rows.preprocessing, np.asarray(outputs)[chosen], rows.y[chosen], weight)


def followed(rows: Rows, metric: str) -> tuple[str, ...]:
    """The metrics to follow during training: the problem's first, and the one that is asked for.

    Args:
        rows: the rows.
        metric: a name in `metrics.HIGHER_IS_BETTER`, or "loss".

    Raises:
        ValueError: it is not for this problem, or not defined on the rows that choose the best epoch.
    """
    known = rows.problem.metrics
    if metric != "loss" and checks.one_of(metric, _NAMES, "metric") not in known:
        raise ValueError(
            f"--metric {metric} does not measure {rows.problem.name}: choose one of {', '.join(sorted(known))}."
        )
    names = rows.preprocessing.class_names
    if metric == "top_k_accuracy" and len(names) <= TOP_K:
        raise ValueError(
            f"--metric top_k_accuracy counts a row as right if its class is among the {TOP_K} most probable, which is"
            f" always so with {len(names)} classes: choose accuracy."
        )
    if metric == "roc_auc":
        weight = None if rows.weight is None else rows.weight[rows.choosing]
        absent = np.flatnonzero(np.bincount(rows.y[rows.choosing], weight, minlength=len(names)) == 0)
        if len(absent):
            raise ValueError(
                f"--metric roc_auc needs validation rows of every class, and {names[absent[0]]!r} has none: choose"
                f" log_loss, or give a larger --validation."
            )
    return (known[0],) if metric in ("loss", known[0]) else (known[0], metric)


_NAMES = {name: name for name in metrics.HIGHER_IS_BETTER}
