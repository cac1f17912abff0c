"""Columns of whole numbers that identify the rows instead of measuring something.

If a table is sorted, a network learns by heart which range of numbers goes with which class. It then does well on
held-out rows of the same table, and is useless on any other. Such a column shows itself by holding no number twice: n
numbers drawn from w consecutive ones are all different with probability about exp(-n² / 2w) (the birthday problem), so
where that is below e⁻²⁰ they were not drawn but assigned. Populations and salaries are spread too widely for that. A
few numbers may be missing or stand twice, by mistake: with n² / 2w > 20 + 4 r of them expected, a chance of so few as r
repeats is as small.

What was assigned may be an axis of the table instead, such as years or doses. It is one if its name is that of a time
or of something measured, if all numbers could be years, or if they are evenly spaced by more than one. Everything else
numbers the rows, from wherever on: of a random part of a table, numbers are missing here and there, also at the start.
"""

import re
from typing import Literal

import numpy as np

SURE = 20.0
LEAST = 10  # rows below which nothing is concluded
REPEATS = 0.01  # of the numbers, which may occur before
YEARS = (1500, 2200)  # between which numbers may be years
NAMED = re.compile(
    r"(?i:(?:^|[\W_])(?:id|pid|uid|uuid|guid)|^(?:index|idx|rownames?|unnamed: \d+|row(?:[\W_]?(?:id|no|nr|number))?))$"
    r"|[a-z]I[dD]$"
)
AXIS = re.compile(
    r"(?i:^[xt]$|time|date|year|month|week|day|hour|minute|second|period|quarter|season"
    r"|distance|depth|height|length|width|position|speed|angle|dose|temperature|pressure|weight|volt|energy|frequency"
    r"|population|salary|income|price"
    r"|(?:^|[\W_])(?:age|amount|concentration|cost|count|current|epoch|force|frame|level|load|mass|power|size|step|temp)"
    r"s?(?:$|[\W_\d]))"
)


def role(name: str, numbers: np.ndarray) -> Literal["identifier", "axis"] | None:
    """What a column of all different numbers is: an identifier, or perhaps only an axis; None for measured numbers.

    Args:
        name: the column's name, which decides where the numbers alone do not.
        numbers: float64 (n,) of all rows of the table, before it is split; NaN where missing.
    """
    counted = _counts_rows(numbers)
    numbers = numbers[~np.isnan(numbers)]
    n = len(numbers)
    if n < LEAST or not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        return None
    repeats = n - len(np.unique(numbers))
    if repeats > REPEATS * n:
        return None
    if NAMED.search(name):
        return "identifier"
    least, most = float(numbers.min()), float(numbers.max())
    if not (counted or n * n / (2.0 * (most - least + 1.0)) > SURE + 4.0 * repeats):
        return None
    years = YEARS[0] <= least and most <= YEARS[1]
    return "axis" if AXIS.search(name) or years or least < 0 or _evenly_spaced(numbers) else "identifier"


def _evenly_spaced(numbers: np.ndarray) -> bool:
    """Whether all distances between the numbers are multiples of 2 or more, as those of an axis are."""
    return int(np.gcd.reduce(np.diff(np.sort(numbers)).astype(np.int64))) > 1


def _counts_rows(numbers: np.ndarray) -> bool:
    """Whether the numbers are 0, 1, 2, … or 1, 2, 3, … in the order of the rows."""
    return bool(numbers[0] in (0, 1) and (numbers == np.arange(len(numbers)) + numbers[0]).all())
