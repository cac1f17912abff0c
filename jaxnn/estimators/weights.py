"""The weight of each row: the caller's, times that of its class.

A row of weight 0 is as good as absent, and one of weight 2 counts as two rows, in the loss and in means
and scales of numbers.
"""

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight


def of_rows(sample_weight: Any, n: int) -> np.ndarray | None:
    """The caller's weights, float64 (n,), or None.

    Raises:
        ValueError: the shape is another, or they are negative, not finite, or all 0.
        TypeError: they are no numbers.
    """
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"sample_weight must be numbers ≥ 0, one for each row, got {sample_weight!r}.") from None
    if weight.ndim == 0:
        weight = np.full(n, float(weight))
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), one for each row of X, got {weight.shape}.")
    if not np.isfinite(weight).all() or (weight < 0).any():
        row = int(np.argmax(~np.isfinite(weight) | (weight < 0)))
        raise ValueError(f"sample_weight must be finite and ≥ 0, got {weight[row]} in row {row}.")
    if not weight.any():
        raise ValueError("sample_weight is zero in every row: give some rows a weight > 0.")
    return weight


def with_classes(weight: np.ndarray | None, class_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """The weights, each multiplied by that of the row's class: scikit-learn's "balanced", or a mapping from classes.

    Raises:
        ValueError: the class weights are of another kind, negative, or leave no row.
    """
    if class_weight is None:
        return weight
    of_class = compute_sample_weight(class_weight, y)
    if not np.isfinite(of_class).all() or (of_class < 0).any() or not of_class.any():
        raise ValueError(f"class_weight must be ≥ 0 and finite, and not zero for all classes, got {class_weight!r}.")
    return of_class if weight is None else weight * of_class
