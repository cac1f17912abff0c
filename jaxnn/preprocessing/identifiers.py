"""Columns of whole numbers that identify the rows instead of measuring something.

If a table is sorted, a network learns by heart which range of numbers goes with which class. It then does well on
held-out rows of the same table, and is useless on any other. Such a column shows itself by holding no number
twice: n numbers drawn from w consecutive ones are all different with probability about exp(-n² / 2w) (the birthday
    problem), so where that is below e⁻²⁰ they were not drawn but assigned. Identifiers are assigned from 0 or 1 on. A
    column that starts
elsewhere, or whose name is that of a time, may be an axis of the table, such as years.
"""

import re
from typing import Literal

import numpy as np

SURE = 20.0
LEAST = 10  # rows below which nothing is concluded
GAPS = 10  # of which the numbers may be missing at the start, as in a random part of a table
NAMED = re.compile(
    r"(?i:(?:^|[\W_])(?:id|uuid|guid)|^(?:index|idx|rownames?|unnamed: \d+|row(?:[\W_]?(?:id|no|nr|number))?))$"
    r"|[a-z]I[dD]$"
)
AXIS = re.compile(r"(?i:^[xt]$|time|date|year|month|week|day|hour|minute|second|period|quarter)")


def role(name: str, numbers: np.ndarray) -> Literal["identifier", "axis"] | None:
    """What a column of all different numbers is: an identifier, or perhaps only an axis; None for measured numbers.

    Args:
        name: the column's name, which decides where the numbers alone do not.
        numbers: float64 (n,) of all rows of the table, before it is split.
    """
    n = len(numbers)
    if n < LEAST or not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        return None
    if len(np.unique(numbers)) < n:
        return None
    if NAMED.search(name):
        return "identifier"
    least, width = float(numbers.min()), float(numbers.max() - numbers.min()) + 1.0
    if not (_counts_rows(numbers) or n * n / (2.0 * width) > SURE):
        return None
    return "identifier" if 0 <= least <= 1 + GAPS * width / n and not AXIS.search(name) else "axis"


def _counts_rows(numbers: np.ndarray) -> bool:
    """Whether the numbers are 0, 1, 2, … or 1, 2, 3, … in the order of the rows."""
    return bool(numbers[0] in (0, 1) and (numbers == np.arange(len(numbers)) + numbers[0]).all())
