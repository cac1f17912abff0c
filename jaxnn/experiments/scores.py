"""How good a model is on each part of the rows."""

from typing import Any

import numpy as np

from jaxnn.experiments.rows import Rows


def scores(rows: Rows, outputs: Any) -> dict[str, dict[str, float]]:
    """The metrics of each part held out (of the training rows if there is none), from all rows' raw outputs."""
    return {name: score(rows, outputs, chosen) for name, chosen in rows.scored.items()}


def score(rows: Rows, outputs: Any, chosen: np.ndarray) -> dict[str, float]:
    """The metrics of the rows of these indices, from all rows' raw outputs (n, n_out)."""
    weight = None if rows.weight is None else rows.weight[chosen]
    return rows.problem.scores(rows.preprocessing, np.asarray(outputs)[chosen], rows.y[chosen], weight)
