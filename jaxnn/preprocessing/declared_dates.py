"""Columns that the caller declares dates, and how these are written.

--date seen                the form is recognised; days as digits, 20230131, are dates however few there are
--date seen=%d/%m/%Y       the day first, whatever a column without a day above 12 would be taken for
"""

import shlex
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing import strays
from jaxnn.preprocessing.dates import DIGITS, FORMATS, Dated, days, days_of, example, in_commonest_form, recognise
from jaxnn.preprocessing.raw import Values, numbers_of, rows_named, text_of
from jaxnn.preprocessing.refusing import texts_of


def parsed(declaration: str, table: Collection[str]) -> tuple[str, str]:
    """A column and the form of its dates, "" for any, from `column` or `column=form`.

    Raises:
        ValueError: the form is unknown.
    """
    name, equals, form = declaration.rpartition("=")
    if declaration in table or not equals or name not in table:
        return declaration, ""
    if form not in FORMATS:
        raise ValueError(
            f"Unknown form of dates {form!r}.{checks.nearest(form, FORMATS)} Give one in the directives of strptime,"
            " such as %d/%m/%Y, %m/%d/%y, %b %d, %Y, %H:%M or %d/%m/%Y %H:%M; or ISO."
        )
    return name, form


def as_dates(name: str, read: Values, form: str) -> tuple[Values, tuple[str, ...]]:
    """The column as dates, and the stray words in it that stand for a missing value.

    Raises:
        ValueError: cells hold no dates, or are written in another form.
    """
    if read.kind == "number":  # days as digits
        digits = [None if gone else f"{value:.15g}" for value, gone in zip(numbers_of(read), read.missing, strict=True)]
        read, form = read._replace(kind="category", values=digits), form or DIGITS
    if read.kind not in ("category", "date"):
        raise ValueError(f"{read.what} is declared a date, but holds values that are true or false.")
    if not all(isinstance(value, str) for value in read.values if value is not None):  # Python's own dates
        return read, ()
    texts: list[Any] = texts_of(read)
    words = tuple(text for text in strays.few_words(read, texts) if strays.is_word(text))
    read = strays.without(read, words) if words else read
    texts = texts_of(read)
    dated = Dated(form) if form else recognise(texts) or Dated(_digits_or_commonest(texts))
    wrong = np.isnan(days_of(read.values, dated.form)) & ~read.missing
    if wrong.any():
        stray = text_of(read.values[int(np.argmax(wrong))])
        raise ValueError(
            f"{read.what} is declared a date, but {stray!r} in {rows_named(wrong)} is not a date written like"
            f" {example(dated.form)}: fix it, declare it a missing value (missing={[stray]!r}; --missing"
            f" {shlex.quote(stray)}), or say how dates are written (date='{name}=%d/%m/%Y')."
        )
    return read._replace(kind="date", dated=dated), words


def _digits_or_commonest(texts: Sequence[str]) -> str:
    """The form of days as digits if all are that, else the one in which most are written, or ISO."""
    if not np.isnan(days(texts, DIGITS)).any():
        return DIGITS
    dated = recognise(in_commonest_form(texts))
    return Dated().form if dated is None else dated.form
