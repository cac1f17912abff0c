"""Learning one column of categories: which of them have an input of their own, and whether it is one at all.

Up to 100 categories in the training rows have an input each. Of more, the most frequent 100 do, each with at least five
training rows; all others share one input, `name is other`, and so do categories that training has not seen. Of k rows
with noise of standard deviation σ, a category's effect is known to σ / √k, so fewer than five would mostly fit noise.

Names and free text are left out: texts of which more than nine in ten are different, or, where there are more than 100,
less than a tenth of the rows have one of the frequent ones. What the caller declares to be a category is always one.
"""

from collections import Counter

import numpy as np

from jaxnn.preprocessing import written
from jaxnn.preprocessing.deciding import Decided
from jaxnn.preprocessing.fitted import Fitted, constant
from jaxnn.preprocessing.learnt import Column, Missing
from jaxnn.preprocessing.notes import Note, option
from jaxnn.preprocessing.scales import refuse_long
from jaxnn.preprocessing.stored import MAX_CATEGORIES

LEAST_ROWS = 5  # training rows of a category, where there are more than MAX_CATEGORIES
FEW = 20  # different texts, up to which even all different ones are categories, unless they are as many as the rows
LEAST_NAMES = 10  # rows below which nothing is concluded from all texts being different


def fit_category(name: str, decided: Decided, rows: np.ndarray, policy: Missing, *, declared: bool) -> Fitted:
    """Learns one column of categories from the training rows; `declared` says that the caller called it one."""
    read = decided.read
    texts = [read.values[row] for row in rows[~read.missing[rows]].tolist()]
    counts = Counter(texts)
    everywhere = [text for text in read.values if text is not None]
    different = len(set(everywhere))
    told = f"{read.what} has {different:,} different texts in {len(everywhere):,} rows, such as {min(counts)!r}"
    if not declared and _are_names(everywhere, different):
        return _left_out(name, told, min(counts))
    if len(counts) == 1 and len(rows) > 1:
        return constant(name, repr(min(counts)), policy)
    if len(counts) <= MAX_CATEGORIES:
        refuse_long(read.what, sorted(counts))
        return Fitted(Column(name, "category", categories=tuple(sorted(counts)), missing=policy), decided.notes)
    frequent = sorted(counts, key=lambda text: (-counts[text], text))[:MAX_CATEGORIES]
    kept = [text for text in frequent if counts[text] >= LEAST_ROWS]
    if not declared and 10 * sum(counts[text] for text in kept) < len(texts):
        return _left_out(name, told, min(counts))
    kept = kept or frequent
    refuse_long(read.what, kept)
    note = (
        f"{told}: the {len(kept)} most frequent in the training rows have an input each, all others share one;"
        f" to leave it out, drop it {option('drop', name)}"
    )
    column = Column(name, "category", categories=tuple(sorted(kept)), missing=policy, other=True)
    return Fitted(column, (*decided.notes, Note(note)))


def _are_names(texts: list[str], different: int) -> bool:
    """Whether nearly all texts differ, as those of names do."""
    if different <= FEW:
        return different == len(texts) >= LEAST_NAMES and not all(map(written.is_plain, texts))
    return different > 0.9 * len(texts)


def _left_out(name: str, told: str, example: str) -> Fitted:
    """A column of names or free text."""
    text = (
        f"{told}, which look like names or free text, not like categories, so it is left out; to keep the frequent"
        f" ones, declare it a category {option('category', name)}"
    )
    if written.is_code(example) or (written.is_number(example) and {".", ","} & {*example}):
        text += f", or to read numbers, declare it a number {option('number', name)}"
    return Fitted(Column(name, "unused", missing="filled"), (Note(text),))
