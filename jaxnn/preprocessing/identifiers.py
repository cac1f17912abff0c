"""Columns of whole numbers that name the rows instead of measuring something.

A network learns by heart which range of names goes with which class where a table is sorted, and is then as good on
held-out rows of the same table and of no use on any other. What gives such a column away is that no number occurs
twice: n numbers drawn from w consecutive ones are all different with probability about exp(-n² / 2w) (the birthday
problem), so where that is below e⁻²⁰ they were not drawn but dealt out.
"""

import re

import numpy as np

SURE = 20.0
LEAST = 10  # rows below which nothing is concluded
NAMED = re.compile(
    r"(?i:(?:^|[\W_])(?:id|uuid|guid)|^(?:index|idx|rownames?|unnamed: \d+|row(?:[\W_]?(?:id|no|nr|number))?))$"
    r"|[a-z]I[dD]$"
)


def is_identifier(name: str, numbers: np.ndarray) -> bool:
    """Whether a column names its rows.

    Args:
        name: the column's name, which decides where the numbers are all different but far apart.
        numbers: float64 (n,) of all rows of the table, before it is split.
    """
    n = len(numbers)
    if n < LEAST or not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        return False
    if len(np.unique(numbers)) < n:
        return False
    width = float(numbers.max() - numbers.min()) + 1.0
    return counts_rows(numbers) or NAMED.search(name) is not None or n * n / (2.0 * width) > SURE


def counts_rows(numbers: np.ndarray) -> bool:
    """Whether the numbers are 0, 1, 2, … or 1, 2, 3, … in the order of the rows."""
    return bool(numbers[0] in (0, 1) and (numbers == np.arange(len(numbers)) + numbers[0]).all())


def runs_on(numbers: np.ndarray) -> bool:
    """Whether the numbers rise evenly with the rows from elsewhere than 0 or 1, as years do: an axis of time."""
    steps = np.diff(numbers)
    return bool((steps == steps[0]).all() and steps[0] > 0 and not counts_rows(numbers))
