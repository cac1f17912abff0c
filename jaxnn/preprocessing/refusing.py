"""Refusals of columns that are neither numbers nor categories nor dates, with what the caller can do about them."""

import shlex
from collections.abc import Collection, Sequence
from typing import NoReturn

import numpy as np

from jaxnn.preprocessing import written
from jaxnn.preprocessing.dates import in_commonest_form
from jaxnn.preprocessing.notes import option
from jaxnn.preprocessing.raw import Values, rows_named

FEW = 20  # different plain numbers at most for text to stay categories


def refuse_strays(name: str, read: Values, texts: Sequence[str]) -> None:
    """Raises ValueError for text that is more than `FEW` different numbers or dates, but for some cells."""
    numeric = {text for text in texts if written.looks_like_number(text)}
    wrong = [text for text in texts if text not in numeric]
    if _mostly(read, numeric) or (numeric and not wrong and not all(map(written.is_plain, numeric))):
        refuse(name, read, wrong, wanted=False)
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
    dates = in_commonest_form(texts)
    if _mostly(read, dates):
        stray = next(text for text in texts if text not in dates)
        raise ValueError(
            f"{read.what} holds dates, but also {stray!r} in {_where(read, [stray])}: fix it, declare it a missing"
            f" value (missing={[stray]!r}; --missing {shlex.quote(stray)}), or leave the column out"
            f" {option('drop', name)}."
        )


def _mostly(read: Values, texts: Collection[str]) -> bool:
    """Whether more than `FEW` different texts of a kind make up more than half of the values."""
    return len(texts) > FEW and 2 * sum(value in texts for value in read.values) > int((~read.missing).sum())


def refuse(name: str, read: Values, wrong: Sequence[str], *, wanted: bool) -> NoReturn:
    """Raises ValueError for numbers among which a few cells are not numbers, or in more than one notation."""
    otherwise = "" if wanted else f"; if the column is a category, say so {option('category', name)}"
    if wrong:
        cells = " ".join(shlex.quote(text) for text in wrong[:3])
        examples = ", ".join(map(repr, wrong[:3]))
        more = f" and {len(wrong) - 3} other texts" if len(wrong) > 3 else ""
        raise ValueError(
            f"{read.what} holds numbers, but also {examples}{more} in {_where(read, wrong)}: fix it, or declare it"
            f" a missing value (missing={wrong[:3]!r}; --missing {cells}){otherwise}."
        )
    first, other = _unlike(texts_of(read))
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


def ambiguous(name: str, what: str, texts: Sequence[str]) -> str:
    """The message for commas that may be decimal or separate thousands."""
    example = next(text for text in texts if "," in text)
    return (
        f"{what} holds values such as {example!r}, where the comma may be a decimal comma or a thousands separator:"
        ' give the decimal mark (decimal="." or ","; --decimal point or comma), or declare the column a category'
        f" {option('category', name)}."
    )


def texts_of(read: Values) -> list[str]:
    """The different texts of a column, as they first occur."""
    return [text for text in dict.fromkeys(read.values) if text is not None]
