"""Numbers that probably stand for a missing value, as -999 does in many files.

A number is suspected if it consists of nines (-9, ±99, ±999, …), occurs at least twice, and lies farther from all
others, of which there are at least ten, than these lie from each other. It stays a number: a note says how to declare
it.
"""

import shlex

import numpy as np

from jaxnn.preprocessing.notes import Note
from jaxnn.preprocessing.raw import Values, rows_named, text_of

NINES = (-9.0, *(sign * (10.0**digits - 1) for digits in range(2, 8) for sign in (-1, 1)))
TWICE, OTHERS = 2, 10


def notes(read: Values) -> tuple[Note, ...]:
    """A note on each suspected number of a column of numbers."""
    values, counts = np.unique(read.values[~read.missing], return_counts=True)
    coded = np.isin(values, NINES) & (counts >= TWICE)
    others = values[~coded]
    if counts[~coded].sum() < OTHERS:
        return ()
    far = [value for value in values[coded].tolist() if np.abs(value - others).min() > np.ptp(others)]
    return tuple(_note(read, value, others) for value in far)


def _note(read: Values, value: float, others: np.ndarray) -> Note:
    text, where = text_of(value), rows_named(read.values == value)
    return Note(
        f"{read.what} is {text} in {where}, far from all other values, {others.min():g} to {others.max():g}: if it"
        f" stands for a missing value, say so (missing=[{text!r}]; --missing {shlex.quote(text)})"
    )
