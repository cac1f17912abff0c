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
    """A note on the suspected number of a column of numbers; () if there is none."""
    present = read.values[~read.missing]
    for value in (present.min(), present.max()):
        others = present[present != value]
        if value not in NINES or len(present) - len(others) < TWICE or len(others) < OTHERS:
            continue
        if np.abs(value - others).min() > np.ptp(others):
            text = text_of(value)
            where = rows_named(read.values == value)
            return (
                Note(
                    f"{read.what} is {text} in {where}, far from all other values, {others.min():g} to"
                    f" {others.max():g}: if it stands for a missing value, say so (missing=[{text!r}]; --missing"
                    f" {shlex.quote(text)})"
                ),
            )
    return ()
