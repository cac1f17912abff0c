"""A few stray words in a column of numbers or dates, such as `unknown` or `-`, which stand for a missing value.

They are taken for missing if there are at most two different ones, in at most 5 % of the cells, and no code could look
like them: no digit stands in them, and more than a single letter or none at all. Between dates they may have digits,
such as `9.12` between times of day, but for those that are written like the dates: 31/02/2021 is a date that went
wrong. Since the row is also marked as missing, a network still sees where they stood.
"""

import re
from collections.abc import Collection, Sequence

import numpy as np

from jaxnn.preprocessing.dates import in_commonest_form, layout
from jaxnn.preprocessing.raw import Values, rows_named

MOST = 2  # different words
SHARE = 0.05  # of the cells
INFINITE = re.compile(r"[+-]?(?:inf(?:inity)?|∞)", re.IGNORECASE)


def is_word(text: str) -> bool:
    """Whether a cell cannot be a number, a date or a code; errors of spreadsheets, such as `#DIV/0!`, are words."""
    if text.startswith("#") and text.endswith(("!", "?")):
        return True
    letters = sum(map(str.isalpha, text))
    return letters != 1 and not any(map(str.isdigit, text)) and not INFINITE.fullmatch(text)


def few_words(read: Values, texts: Sequence[str]) -> tuple[str, ...]:
    """The stray words among the different `texts` of a column; () if there are none, or too many to be strays."""
    words = tuple(text for text in texts if is_word(text))
    if not words and (dated := in_commonest_form(texts)):
        layouts = set(map(layout, dated))
        words = tuple(text for text in texts if text not in dated)
        words = () if any(layout(text) in layouts for text in words) else words
    if not 0 < len(words) <= MOST or len(words) == len(texts):
        return ()
    return words if _where(read, words).sum() <= SHARE * (~read.missing).sum() else ()


def without(read: Values, words: Collection[str]) -> Values:
    """The column with these words missing."""
    values = [None if value in words else value for value in read.values]
    return read._replace(values=values, missing=read.missing | _where(read, words))


def named(read: Values, words: Collection[str]) -> str:
    """Where the words stand, for messages."""
    return rows_named(_where(read, words))


def _where(read: Values, words: Collection[str]) -> np.ndarray:
    return np.fromiter((value in words for value in read.values), bool, len(read.values))
