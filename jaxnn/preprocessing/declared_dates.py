"""Columns that the caller declares dates, and how these are written.

--date seen                the form is recognised; days as digits, 20230131, are dates however few there are
--date seen=%d/%m/%Y       the day first, whatever a column without a day above 12 would be taken for
"""

import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing import strays
from jaxnn.preprocessing.dates import DIGITS, FORMATS, ISO, Dated, days, days_of, example, in_commonest_form, recognise
from jaxnn.preprocessing.notes import option
from jaxnn.preprocessing.raw import Values, numbers_of, rows_named, text_of
from jaxnn.preprocessing.refusing import texts_of

ISO_SPELLED_OUT = re.compile(r"%Y-%m-%d[T ]%H:%M(:%S([.,]%f)?)?( ?(%z|Z|UTC))?")


def forms_of(declarations: Sequence[str], table: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Each column declared a date, once, with the form of its dates, "" for any.

    Raises:
        ValueError: a form is unknown, or a column has two.
    """
    forms: dict[str, str] = {}
    for name, form in (parsed(each, table) for each in declarations):
        known = forms.get(name)
        if known and form and known != form:
            raise ValueError(f"Column {name!r} is declared a date in two forms, {known} and {form}: choose one.")
        forms[name] = known or form
    return tuple(forms.items())


def parsed(declaration: str, table: Collection[str]) -> tuple[str, str]:
    """A column and the form of its dates, "" for any, from `column` or `column=form`.

    Raises:
        ValueError: the form is unknown.
    """
    if declaration in table:
        return declaration, ""
    pieces = declaration.split("=")
    divided = [("=".join(pieces[:j]), "=".join(pieces[j:])) for j in range(len(pieces) - 1, 0, -1)]
    name, form = next((pair for pair in divided if pair[0] in table), ("", ""))
    if not name:  # no such column: the caller is told, without the form if it is one
        return next((pair for pair in divided if _plain(pair[1]) in FORMATS), (declaration, ""))
    if _plain(form) not in FORMATS:
        raise ValueError(
            f"Unknown form of dates {form!r}.{checks.nearest(_plain(form), FORMATS)} Give ISO, or a form in the"
            " directives of strptime, such as %d/%m/%Y, %H:%M, '%b %d, %Y' or '%d/%m/%Y %H:%M'."
        )
    return name, _plain(form)


def _plain(form: str) -> str:
    """The form as `FORMATS` has it: names may always be spelled out, and spaces are as many as there are."""
    form = " ".join(form.split()).replace("%B", "%b").replace("%A", "%a")
    return ISO if form not in FORMATS and ISO_SPELLED_OUT.fullmatch(form) else form


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
        stray, all_wrong = text_of(read.values[int(np.argmax(wrong))]), bool((wrong | read.missing).all())
        raise ValueError(
            f"{read.what} is declared a date, but {stray!r} in {rows_named(wrong)} is not a date written like"
            f" {example(dated.form)}: {_what_to_do(name, texts, stray, all_wrong=all_wrong)}."
        )
    return read._replace(kind="date", dated=dated), words


def _what_to_do(name: str, texts: Sequence[str], stray: str, *, all_wrong: bool) -> str:
    """How to mend a column in which `stray` is no date, by whether all cells are dates in another form, or none is."""
    other = DIGITS if not np.isnan(days(texts, DIGITS)).any() else getattr(recognise(texts), "form", None)
    if other is not None:
        return f"declare that all are like {example(other)} {option('date', f'{name}={other}')}"
    if all_wrong:
        return f"write dates like 2023-01-31, or leave out the declaration {option('date', name)}"
    return f"fix it, or declare it a missing value (missing={[stray]!r}; --missing {shlex.quote(stray)})"


def _digits_or_commonest(texts: Sequence[str]) -> str:
    """The form of days as digits if all are that, else the one in which most are written, or ISO."""
    if not np.isnan(days(texts, DIGITS)).any():
        return DIGITS
    dated = recognise(in_commonest_form(texts))
    return Dated().form if dated is None else dated.form
