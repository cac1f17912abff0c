"""The mean and the spread of numbers, and the bounds within which a column can be used."""

from collections.abc import Sequence

import numpy as np

from jaxnn.preprocessing.learnt import LARGEST, Label
from jaxnn.preprocessing.raw import rows_named
from jaxnn.preprocessing.stored import MAX_NAME

ROUNDINGS = 1_000  # of a column that is constant up to rounding: at most so many times ε, however many its rows


def mean_and_scale(x: np.ndarray) -> tuple[float, float]:
    """The mean and standard deviation of x; the deviation of a constant is taken as 1.

    Taken relative to the largest magnitude, so neither sums nor squares overflow.
    """
    if x.min() == x.max():
        return float(x[0]), 1.0
    unit = float(np.abs(x).max())
    relative = x / unit
    deviation = float(relative.std()) * unit
    return float(relative.mean()) * unit, deviation if deviation > 0 else 1.0


def is_constant(x: np.ndarray, precision: float) -> bool:
    """Whether x has one value up to rounding: a deviation of n ε |mean| at most, n the number of rows or `ROUNDINGS`.

    Whole numbers are exact, and equal or not. The bound is relative: a column of numbers about 1e-10 is no constant.
    """
    if x.min() == x.max():
        return True
    if np.abs(x).max() < 2 / precision and (x == np.round(x)).all():
        return False
    mean, deviation = mean_and_scale(x)
    return deviation <= min(len(x), ROUNDINGS) * precision * abs(mean)


def refuse_long(what: str, texts: Sequence[Label]) -> None:
    """Raises ValueError for free text, which a model could be saved with but not loaded."""
    longest = max((len(text) for text in texts if isinstance(text, str)), default=0)
    if longest > MAX_NAME:
        raise ValueError(f"{what} holds a text of {longest} characters, more than the {MAX_NAME} that are accepted.")


def refuse_large(what: str, numbers: np.ndarray) -> None:
    """Raises ValueError for numbers beyond single precision, which would dominate the mean and the scale."""
    large = np.abs(numbers) > LARGEST
    if large.any():
        value = float(numbers[int(np.argmax(large))])
        raise ValueError(
            f"{what} is {value!r} in {rows_named(large)}, beyond the largest number that is accepted,"
            f" {LARGEST:.3g}: fix it, or leave the cell empty."
        )
