"""Decides whether a raw column holds numbers or categories, and notes each decision that could have gone otherwise.

What the caller says (`ColumnOptions`) comes first, then the column's dtype, then how its texts are written. Text
becomes numbers only if all cells are numbers in one notation. If only a few cells are not numbers, or if a comma could
mean two things, the column is refused and the message says how to settle it: nobody wants a category for each number.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing import written
from jaxnn.preprocessing.dates import are_dates, are_days
from jaxnn.preprocessing.notes import Note
from jaxnn.preprocessing.raw import Values, numbers_of, refuse_infinite, rows_named, text_of
from jaxnn.preprocessing.written import Notation

FEW = 20  # different plain numbers at most for text to stay categories
Kind = Literal["number", "category"]


class ColumnOptions(NamedTuple):
    """What the caller says about columns.

    Attributes:
        category: names of columns that are categories.
        number: names of columns that are numbers.
        decimal: the decimal mark, "." or ",", of numbers in text, where their column leaves it open.
        missing: texts that stand for a missing value.
    """

    category: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    decimal: str | None = None
    missing: tuple[str, ...] = ()

    def kind(self, name: str) -> Kind | None:
        """The kind that the caller declared, or None."""
        return "category" if name in self.category else "number" if name in self.number else None


class Decided(NamedTuple):
    """A column after the decision.

    Attributes:
        read: the values; of a number float64, of a category text.
        notation: how numbers were written, if they were text.
        notes: what a person should know, one line each.
    """

    read: Values
    notation: Notation | None = None
    notes: tuple[Note, ...] = ()


def column_options(
    table: Mapping[str, Any], category: Any, number: Any, decimal: str | None, missing: Any
) -> ColumnOptions:
    """The caller's options, checked.

    Raises:
        ValueError: a column does not exist or was declared both, or the decimal mark is neither.
    """
    options = ColumnOptions(_names(category), _names(number), decimal, _names(missing))
    for kind, names in (("category", options.category), ("number", options.number)):
        for name in names:
            checks.one_of(name, table, f"{kind} column")
    both = sorted({*options.category} & {*options.number})
    if both:
        raise ValueError(f"Column {both[0]!r} is declared both a category and a number: choose one.")
    if decimal not in (None, ".", ","):
        raise ValueError(f'decimal must be ".", "," or None, got {decimal!r}.')
    return options


def decide(name: str, read: Values, wanted: Kind | None = None, decimal: str | None = None) -> Decided:
    """Decides what a column is.

    Args:
        name: the column's name, for messages.
        read: its values, of all rows.
        wanted: the kind that the caller declared.
        decimal: the decimal mark of numbers in text, where the texts leave it open.

    Raises:
        ValueError: it cannot be what is wanted, or the caller has to decide.
    """
    if read.kind == "nothing":
        return Decided(read)
    if wanted == "category" or (wanted is None and read.categorical):
        return Decided(as_category(read))
    if wanted == "number":
        return _as_number(name, read, decimal)
    if read.kind == "category":
        return _classify_texts(name, read, decimal)
    days = read.kind == "number" and are_days(read.values[~read.missing])
    return Decided(read, None, (_note_of_days(name, read),) if days else ())


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
    texts = _texts(read)
    if read.kind == "date" or not all(isinstance(text, str) for text in texts):
        numbers_of(read._replace(kind="date"))  # raises: a date is not a number, even if declared one
    notation = written.recognise(texts, decimal=decimal, any_unit=True)
    if notation == "ambiguous":
        raise ValueError(_ambiguous(name, read.what, texts))
    if notation is None:
        strays = [text for text in texts if not written.is_number(text)]
        if len(strays) == len(texts):
            numbers_of(read)  # raises: nothing here is a number
        _refuse(name, read, strays, wanted=True)
    return Decided(_converted(read, notation), notation)


def _classify_texts(name: str, read: Values, decimal: str | None) -> Decided:
    """Text: numbers in disguise, categories, or something that the caller has to decide."""
    texts = _texts(read)
    codes = [text for text in texts if written.is_code(text)]
    if codes:
        return Decided(read, None, _note_of_codes(name, read, texts, min(codes)))
    notation = written.recognise(texts, decimal=decimal)
    if notation == "ambiguous":
        raise ValueError(_ambiguous(name, read.what, texts))
    if notation is not None:
        if notation.plain and len(texts) <= FEW:
            return Decided(read)
        return Decided(_converted(read, notation), notation, (Note(_note_of_numbers(name, read, texts, notation)),))
    _refuse_strays(name, read, texts)
    return Decided(read)


def _texts(read: Values) -> list[str]:
    """The different texts of a column, as they first occur."""
    return [text for text in dict.fromkeys(read.values) if text is not None]


def _converted(read: Values, notation: Notation) -> Values:
    return read._replace(kind="number", values=written.numbers(read.values, notation), categorical=False)


def _refuse_strays(name: str, read: Values, texts: Sequence[str]) -> None:
    """Raises ValueError for text that is more than `FEW` different numbers or dates, but for some cells."""
    numeric = {text for text in texts if written.looks_like_number(text)}
    strays = [text for text in texts if text not in numeric]
    if _mostly(read, numeric) or (numeric and not strays and not all(map(written.is_plain, numeric))):
        _refuse(name, read, strays, wanted=False)
    plain = [text for text in texts if written.is_plain(text)]
    if len(texts) > FEW and 0 < len(plain) < len(texts) and all(map(written.is_amount, texts)):  # 950 beside 1.2k
        other = next(text for text in texts if text not in plain)
        raise ValueError(
            f"{read.what} holds numbers with and without a unit, such as {plain[0]!r} and {other!r}: write all of them"
            f" in the same way; if the column is a category, say so {option('category', name)}."
        )
    unit = written.unit_of(texts)
    if unit is not None and len(texts) > FEW:
        raise ValueError(
            f"{read.what} holds numbers with the unit {unit!r}, such as {texts[0]!r}: declare it a number"
            f" {option('number', name)} or a category {option('category', name)}."
        )
    if len(texts) <= 5 * FEW + 1:  # more are refused as an identifier, which dates among them need not be found for
        dates = {text for text in texts if are_dates([text])}
        if _mostly(read, dates):
            stray = next(text for text in texts if text not in dates)
            raise ValueError(
                f"{read.what} holds dates, but also {stray!r} in {_where(read, [stray])}: leave it out (drop {name!r};"
                " --drop on the command line), or replace it by numbers such as an age or a month."
            )


def _mostly(read: Values, texts: Collection[str]) -> bool:
    """Whether more than `FEW` different texts of a kind make up more than half of the values."""
    return len(texts) > FEW and 2 * sum(value in texts for value in read.values) > int((~read.missing).sum())


def _refuse(name: str, read: Values, strays: Sequence[str], *, wanted: bool) -> NoReturn:
    """Raises ValueError for numbers among which a few cells are not numbers, or in more than one notation."""
    otherwise = "" if wanted else f"; if the column is a category, say so {option('category', name)}"
    if strays:
        cells = " ".join(shlex.quote(stray) for stray in strays[:3])
        examples = ", ".join(map(repr, strays[:3]))
        more = f" and {len(strays) - 3} other texts" if len(strays) > 3 else ""
        raise ValueError(
            f"{read.what} holds numbers, but also {examples}{more} in {_where(read, strays)}: fix it, or declare it"
            f" a missing value (missing={strays[:3]!r}; --missing {cells}){otherwise}."
        )
    first, other = _unlike(_texts(read))
    raise ValueError(
        f"{read.what} writes its numbers in more than one way, such as {first!r} and {other!r}: use one"
        f" notation{otherwise}."
    )


def _unlike(texts: Sequence[str]) -> tuple[str, str]:
    """Two texts that cannot be numbers in the same notation."""
    fitting = texts[:1]
    for text in texts[1:]:
        if written.recognise([*fitting, text], any_unit=True) is None:
            return (next((t for t in fitting if written.recognise([t, text], any_unit=True) is None), fitting[0]), text)
        fitting = [*fitting, text]
    return texts[0], texts[-1]


def _where(read: Values, texts: Collection[str]) -> str:
    wanted = set(texts)
    return rows_named(np.fromiter((value in wanted for value in read.values), bool, len(read.values)))


def option(keyword: str, name: str) -> str:
    """How to set an option of a column, in Python and at the command line, for messages."""
    return f"({keyword}={name!r}; --{keyword} {shlex.quote(name)})"


def _ambiguous(name: str, what: str, texts: Sequence[str]) -> str:
    example = next(text for text in texts if "," in text)
    return (
        f"{what} holds values such as {example!r}, where the comma may be a decimal comma or a thousands separator:"
        ' give the decimal mark (decimal="." or ","; --decimal point or comma), or declare the column a category'
        f" {option('category', name)}."
    )


def _note_of_numbers(name: str, read: Values, texts: Sequence[str], notation: Notation) -> str:
    """How text was read as numbers, with an example that is not plain, if there is one."""
    example = next((text for text in texts if not written.is_plain(text)), texts[0])
    value = text_of(written.number(example, notation))
    return (
        f"{read.what} is read as numbers, {example!r} as {value}; to keep the text,"
        f" declare it a category {option('category', name)}"
    )


def _note_of_days(name: str, read: Values) -> Note:
    """The note that numbers may be dates, whose differences are not times."""
    value = read.values[~read.missing][0]
    text = f"{read.what} looks like dates, such as {value:.0f}, but is used as a number: if it is a date, drop it"
    return Note(f"{text} {option('drop', name)}, or replace it by numbers such as an age or a month")


def _note_of_codes(name: str, read: Values, texts: Sequence[str], code: str) -> tuple[Note, ...]:
    """Why digits stayed text."""
    if not all(text.isdecimal() for text in texts):
        return ()
    text = f"{read.what} stays text because of leading zeros, as in {code!r}"
    return (Note(f"{text}; to read numbers, declare it a number {option('number', name)}"),)


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
