"""Fewer cases than a full product: those in which any two values of any two arguments meet at least once."""

import itertools
from collections.abc import Collection, Sequence


def cases(*arguments: Sequence, also: Collection[tuple] = ()) -> list[tuple]:
    """Rows of the product in its order: the rows `also`, and greedily those with most pairs that are still missing."""
    rows = list(itertools.product(*arguments))
    missing = set().union(*map(_pairs, rows))
    chosen = set(also)
    for row in chosen:
        missing -= _pairs(row)
    while missing:
        best = max(rows, key=lambda row: len(_pairs(row) & missing))  # the first of those that are equally good
        chosen.add(best)
        missing -= _pairs(best)
    return [row for row in rows if row in chosen]


def _pairs(row):
    return set(itertools.combinations(enumerate(row), 2))
