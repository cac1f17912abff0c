"""Decides whether a raw column holds numbers, dates or categories, and notes what could have been decided otherwise.

What the caller says (`ColumnOptions`) comes first, then the column's dtype, then how its texts are written. Text
becomes numbers or dates only if all cells are, in one notation, but for a few stray words (`strays`). If more cells are
not, or if a comma could mean two things, the column is refused and the message says how to settle it: nobody wants a
category for each number.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing import declared_dates, strays, written
from jaxnn.preprocessing.dates import DIGITS, Dated, are_days, recognise
from jaxnn.preprocessing.notes import Note, option
from jaxnn.preprocessing.raw import Values, numbers_of, refuse_infinite, rows_named, text_of, words_of
from jaxnn.preprocessing.refusing import FEW, ambiguous, refuse, refuse_strays, texts_of
from jaxnn.preprocessing.written import Notation

NAMED = re.compile("(?i:date|day|dob|when|time)")
Kind = Literal["number", "category", "date"]


class Ambiguous(ValueError):
    """A comma in a column may be a decimal comma or separate thousands."""


class ColumnOptions(NamedTuple):
    """What the caller says about columns.

    Attributes:
        category: names of columns that are categories.
        number: names of columns that are numbers.
        decimal: the decimal mark, "." or ",", of numbers in text, where their column leaves it open.
        missing: texts that stand for a missing value.
        date: names of columns that are dates, each with their form, or "" to recognise it.
    """

    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    date: tuple[tuple[str, str], ...] = ()

    def kind(self, name: str) -> Kind | None:
        """The kind that the caller declared, or None."""
        if name in dict(self.date):
            return "date"
        return "category" if name in self.category else "number" if name in self.number else None


class Decided(NamedTuple):
    """A column after the decision.

    Attributes:
        read: the values; of a number float64, of a category text, of a date whatever it came as.
        notation: how numbers were written, if they were text.
        notes: what a person should know, one line each.
        absent: words that stand for a missing value in this column.
    """

    read: Values
    notation: Notation | None = None
    notes: tuple[Note, ...] = ()
    absent: tuple[str, ...] = ()


def column_options(
    table: Mapping[str, Any], category: Any, number: Any, decimal: str | None, missing: Any, date: Any = ()
) -> ColumnOptions:
    """The caller's options, checked.

    Raises:
        ValueError: a column does not exist or was declared to be two things, the form of dates is unknown, or the
            decimal mark is neither.
    """
    dates = declared_dates.forms_of(_names(date), table)
    options = ColumnOptions(_names(category), _names(number), decimal, words_of(missing), dates)
    declared = {"category": options.category, "number": options.number, "date": tuple(dict(dates))}
    for kind, names in declared.items():
        for name in names:
            checks.one_of(name, table, f"{kind} column")
    for one, other in itertools.combinations(declared, 2):
        both = sorted({*declared[one]} & {*declared[other]})
        if both:
            raise ValueError(f"Column {both[0]!r} is declared both a {one} and a {other}: choose one.")
    if decimal not in (None, ".", ","):
        raise ValueError(f'decimal must be ".", "," or None, got {decimal!r}.')
    return options


def decide(
    name: str,
    read: Values,
    wanted: Kind | None = None,
    decimal: str | None = None,
    *,
    form: str = "",
    plainly: bool = False,
) -> Decided:
    """Decides what a column is.

    Args:
        name: the column's name, for messages.
        read: its values, of all rows.
        wanted: the kind that the caller declared.
        decimal: the decimal mark of numbers in text, where the texts leave it open.
        form: how dates are written, if they are wanted; "" to recognise it.
        plainly: whether stray words are not to be taken for missing, nor digits for dates: of targets and of arrays.

    Raises:
        ValueError: it cannot be what is wanted, or the caller has to decide.
    """
    if read.kind == "nothing":
        return Decided(read)
    if wanted == "date":
        dates, words = declared_dates.as_dates(name, read, form)
        return Decided(dates, None, (_note_of_strays(name, read, words, "dates"),) if words else (), words)
    if wanted == "category" or (wanted is None and read.categorical):
        return Decided(as_category(read))
    if read.kind == "category" and not plainly:
        words = strays.few_words(read, texts_of(read))
        decided = _but_for(words, name, read, wanted, decimal) if words else None
        if decided is not None:
            return decided
    if wanted == "number":
        return _as_number(name, read, decimal)
    decided = _classify_texts(name, read, decimal) if read.kind == "category" else Decided(read)
    return decided if plainly else _or_days(name, read, decided)


def _or_days(name: str, read: Values, decided: Decided) -> Decided:
    """Numbers as dates where they are days as digits, 20230131: three different ones, or two if the name says so."""
    numbers = decided.read
    if numbers.kind != "number" or not are_days(numbers.values[~numbers.missing], least=2 if NAMED.search(name) else 3):
        return decided
    return Decided(read._replace(kind="date", dated=Dated(DIGITS)))


def _but_for(
    words: tuple[str, ...], name: str, read: Values, wanted: Kind | None, decimal: str | None
) -> Decided | None:
    """The column as numbers or dates if it is that but for a few stray words, which are then missing; else None."""
    rest = strays.without(read, words)
    texts = texts_of(rest)
    dated = recognise(texts) if wanted is None else None
    if dated is not None:
        note = _note_of_strays(name, read, words, "dates")
        return Decided(rest._replace(kind="date", dated=dated), None, (note,), words)
    notation = written.recognise(texts, decimal=decimal, any_unit=wanted == "number")
    if notation is None or any(map(written.is_code, texts)):
        return None
    if wanted == "number":
        decided = _as_number(name, rest, decimal)
    else:
        decided = _or_days(name, rest, _classify_texts(name, rest, decimal))
    if decided.read.kind in ("number", "date"):
        note = _note_of_strays(name, read, words, f"{decided.read.kind}s")
        return decided._replace(notes=(note, *decided.notes), absent=words)
    few = "so its few different values are categories; to read numbers, declare it a number"
    return Decided(read, None, (Note(f"{_with_strays(read, words, 'numbers')}, {few} {option('number', name)}"),))


def _with_strays(read: Values, words: tuple[str, ...], kind: str) -> str:
    """What a column holds, and which words beside."""
    return f"{read.what} holds {kind}, but also {' and '.join(map(repr, words))} in {strays.named(read, words)}"


def _note_of_strays(name: str, read: Values, words: tuple[str, ...], kind: str) -> Note:
    """That words in a column of numbers or dates are missing values."""
    told = _with_strays(read, words, kind)
    return Note(f"{told}, read as missing; to keep the text, declare it a category {option('category', name)}")


def as_category(read: Values) -> Values:
    """The column as texts; numbers are written as short as possible.

    Raises:
        ValueError: a number is infinite, or so large that float64 cannot tell it from its neighbours.
    """
    if isinstance(read.values, np.ndarray):
        refuse_infinite(read)
        large = np.abs(read.values) >= 2**53
        if large.any():
            raise ValueError(
                f"{read.what} has numbers of 2⁵³ or more in {rows_named(large)},"
                " which float64 cannot tell apart: use text."
            )
    values = read.values.tolist() if isinstance(read.values, np.ndarray) else read.values
    plain = (bool(value) if read.kind == "boolean" and value == value else value for value in values)
    absent = read.missing.tolist()
    return read._replace(
        kind="category", values=[None if gone else text_of(value) for value, gone in zip(plain, absent, strict=True)]
    )


def _as_number(name: str, read: Values, decimal: str | None) -> Decided:
    """The column as numbers, because the caller says so."""
    if isinstance(read.values, np.ndarray):
        return Decided(read._replace(kind="number"))
    texts = texts_of(read)
    if read.kind == "date":
        raise ValueError(
            f"{read.what} holds dates, such as {text_of(texts[0])!r}, and cannot be a number: leave out the declaration"
            " (number; --number), so that it is read as dates."
        )
    notation = written.recognise(texts, decimal=decimal, any_unit=True)
    if notation == "ambiguous":
        raise Ambiguous(ambiguous(name, read.what, texts))
    if notation is None:
        wrong = [text for text in texts if not written.is_number(text)]
        if len(wrong) == len(texts):
            numbers_of(read)  # raises: nothing here is a number
        refuse(name, read, wrong, wanted=True)
    return Decided(_converted(read, notation), notation)


def _classify_texts(name: str, read: Values, decimal: str | None) -> Decided:
    """Text: numbers in disguise, categories, or something that the caller has to decide."""
    texts = texts_of(read)
    codes = [text for text in texts if written.is_code(text)]
    if codes:
        return Decided(read, None, _note_of_codes(name, read, texts, min(codes)))
    notation = written.recognise(texts, decimal=decimal)
    if notation == "ambiguous":
        raise Ambiguous(ambiguous(name, read.what, texts))
    if notation is not None:
        if notation.plain and len(texts) <= FEW:
            return Decided(read)
        return Decided(_converted(read, notation), notation, (Note(_note_of_numbers(name, read, texts, notation)),))
    refuse_strays(name, read, texts)
    return Decided(read)


def _converted(read: Values, notation: Notation) -> Values:
    return read._replace(kind="number", values=written.numbers(read.values, notation), categorical=False)


def _note_of_numbers(name: str, read: Values, texts: Sequence[str], notation: Notation) -> str:
    """How text was read as numbers, with an example that is not plain, if there is one."""
    example = next((text for text in texts if not written.is_plain(text)), texts[0])
    example = next(filter(written.in_parentheses, texts), example)  # whose sign nobody should have to guess
    value = text_of(written.number(example, notation))
    return (
        f"{read.what} is read as numbers, {example!r} as {value}; to keep the text,"
        f" declare it a category {option('category', name)}"
    )


def _note_of_codes(name: str, read: Values, texts: Sequence[str], code: str) -> tuple[Note, ...]:
    """Why digits stayed text."""
    if not all(text.isdecimal() for text in texts):
        return ()
    text = f"{read.what} stays text because of leading zeros, as in {code!r}"
    return (Note(f"{text}; to read numbers, declare it a number {option('number', name)}"),)


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
