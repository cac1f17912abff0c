"""How good a model is on each part of the rows."""

from typing import Any

import numpy as np

from jaxnn.experiments.rows import Rows


def scores(rows: Rows, outputs: Any, metric: str = "loss") -> dict[str, dict[str, float]]:
    """The metrics of each part held out (of the training rows if there is none), from all rows' raw outputs."""
    return {name: score(rows, outputs, chosen, metric) for name, chosen in rows.scored.items()}


def score(rows: Rows, outputs: Any, chosen: np.ndarray, metric: str = "loss") -> dict[str, float]:
    """The metrics of the rows of these indices, from all rows' raw outputs (n, n_out); `metric` is among them."""
    weight = None if rows.weight is None else rows.weight[chosen]
    return rows.problem.scores(rows.preprocessing, np.asarray(outputs)[chosen], rows.y[chosen], weight, metric)


def by_class(rows: Rows, outputs: Any) -> dict[str, dict[str, dict[str, float]]]:
    """Recall, precision and rows of each class, for the last part held out; empty where there are no classes.

    Args:
        rows: the rows.
        outputs: all rows' raw outputs, (n, n_out).

    Returns:
        The part -> the class -> its scores, as `Problem.by_class` has them.
    """
    if rows.problem.by_class is None:
        return {}
    part, chosen = list(rows.scored.items())[-1]
    weight = None if rows.weight is None else rows.weight[chosen]
    return {part: rows.problem.by_class(rows.preprocessing, np.asarray(outputs)[chosen], rows.y[chosen], weight)}
