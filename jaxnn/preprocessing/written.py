"""Numbers as people write them: 1,045 and 1.045,5 and 1 045, € 3.50, 12 %, and decimal commas.

How a column writes its numbers is read from all of its cells, never from one:

    1,045.5     a point after a comma, or the other way round, says which of them is the decimal mark
    1,045,000   a mark that occurs twice separates groups of three
    0,125 1,5   a comma that cannot stand between groups of three is a decimal comma
    950 1,045   a whole number of at most three digits without a comma, beside some with one: groups of three, since
                decimals of a fixed length would stand in all cells
    1,045       in every cell, or beside 1045: could be either, which `decimal` settles
    1.045       is read as programs write it, unless `decimal` is the comma

A percent sign stands in all cells or in none (zero needs none), since 45 % and 0.45 are one number in two units; the
number before it is taken as it is, 45. A sign of a currency may be left out, as long as there is only one currency.
Parentheses are a minus sign, (43.64) as -43.64, unless they stand in every cell.
"""

import functools
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

DECIMALS = (".", ",")
GROUPS = ("", ",", ".", "'", " ")
CELL = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[^\d\s.,'+-]*)\s*(?P<inner>[+-]?)"
    r"(?P<body>\d(?:[\d,.' ]*\d)?[.,]?|[.,]\d+)(?P<power>[eE][+-]?\d+)?\s*(?P<after>[^\d\s.,'+-](?:.*\D)?)?"
)
CODE = re.compile(r"0\d+")  # 00501: no number is written with a zero in front
ALIKE = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"} | dict.fromkeys("\xa0\u2009\u202f", " ")
)


class Notation(NamedTuple):
    """How the numbers of a column are written.

    Attributes:
        decimal: the decimal mark, "." or ",".
        group: what stands between groups of three digits, one of `GROUPS`.
        unit: what may stand before or after a number: "%", "$", "kg", or nothing.
    """

    decimal: str = "."
    group: str = ""
    unit: str = ""

    @property
    def plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self == Notation()

    @property
    def example(self) -> str:
        """An example of a number in this notation, for messages."""
        number = f"1{self.group}234{self.decimal}5"
        return f"like {number}{self.unit}" if self.unit == "%" else f"like {self.unit}{number}"


class Cell(NamedTuple):
    """One number as it is written: its sign, digits with marks between them, power of ten, and what stands beside."""

    sign: str
    body: str
    power: str
    unit: str
    behind: bool


def recognise(
    texts: Collection[str], *, decimal: str | None = None, any_unit: bool = False
) -> Notation | Literal["ambiguous"] | None:
    """How the numbers in `texts` are written.

    Args:
        texts: the different cells of a column.
        decimal: the decimal mark, where the cells leave it open.
        any_unit: whether a word may be the unit, not only % and the signs of currencies.

    Returns:
        The notation; "ambiguous" where a comma could be a decimal comma or separate thousands; None if some cell is no
        number, or the cells have different units.
    """
    cells = [read for read in map(_cell, texts) if read is not None]
    if not cells or len(cells) < len(texts) or all(map(in_parentheses, texts)):
        return None
    unit = _common_unit(cells, any_unit)
    if unit is None:
        return None
    marks = _marks({cell.body for cell in cells}, decimal)
    return marks if marks is None or marks == "ambiguous" else marks._replace(unit=unit)


def number(text: str, notation: Notation) -> float | None:
    """The number that a cell holds, or None if it is written differently; the unit may be left out."""
    cell = _cell(text)
    if cell is None or cell.unit not in ("", notation.unit) or not _pattern(notation).fullmatch(cell.body):
        return None
    digits = cell.body.replace(notation.group, "") if notation.group else cell.body
    value = float(f"{cell.sign}{digits.replace(notation.decimal, '.')}{cell.power}")
    return value if math.isfinite(value) else None


def numbers(texts: Sequence[str | None], notation: Notation) -> np.ndarray:
    """The numbers in the cells, float64 (n,): NaN for None and for what is not written so."""
    known = {text: number(text, notation) for text in set(texts) if text is not None}
    return np.array([math.nan if text is None else known[text] for text in texts], np.float64)


def looks_like_number(text: str) -> bool:
    """Whether a cell is a number in some notation, with % or the sign of a currency at most."""
    cell = _cell(text)
    return cell is not None and _is_sign(cell.unit) and _marks({cell.body}, None) is not None


def is_number(text: str) -> bool:
    """Whether a cell is a number in some notation, whatever word stands beside it."""
    cell = _cell(text)
    return cell is not None and _marks({cell.body}, None) is not None


def is_amount(text: str) -> bool:
    """Whether a cell is a number in some notation, with a word behind it at most."""
    cell = _cell(text)
    return is_number(text) and cell is not None and (cell.behind or _is_sign(cell.unit))


def is_plain(text: str) -> bool:
    """Whether a cell is a number as programs write it."""
    return number(text, Notation()) is not None


def unit_of(texts: Iterable[str]) -> str | None:
    """The word, such as `kg`, that stands after every number, where all cells are numbers with that word.

    A word in front, as in `Q1` and `Type 2`, makes a label.
    """
    cells = [_cell(text) for text in texts]
    units = {None if cell is None or not cell.behind else cell.unit for cell in cells}
    unit = units.pop()
    return unit if unit and not units else None


def in_parentheses(text: str) -> bool:
    """Whether a cell stands in parentheses, which are a minus sign in accounting."""
    return text.strip().startswith("(") and text.strip().endswith(")")


def is_code(text: str) -> bool:
    """Whether a cell is digits behind a leading zero, which a number would lose."""
    return CODE.fullmatch(text) is not None


def _cell(text: str) -> Cell | None:
    """A cell in its parts, or None if it is no number."""
    bare = text.translate(ALIKE).strip()
    negative = in_parentheses(bare)
    match = CELL.fullmatch(bare[1:-1].strip() if negative else bare)
    if match is None:
        return None
    sign, before, inner, body, power, after = (match[name] or "" for name in CELL.groupindex)
    if (before and after) or (sign and inner) or (inner and not before) or ("_" in text) or (negative and sign + inner):
        return None
    sign = "-" if negative else sign
    return Cell(sign or inner, body.strip(), power, (before or after).strip(), behind=bool(after))


def _common_unit(cells: Sequence[Cell], any_unit: bool) -> str | None:
    """The unit of a column, "" for none; None where there are several, or some cells lack a percent sign."""
    units = {cell.unit for cell in cells} - {""}
    if len(units) > 1:
        return None
    unit = units.pop() if units else ""
    if not (any_unit or _is_sign(unit)):
        return None
    bare = any(not cell.unit and cell.body.strip("0.,") for cell in cells)
    return None if bare and unit == "%" else unit


def _is_sign(unit: str) -> bool:
    """Whether it is nothing, a percent sign or the sign of a currency."""
    return unit in ("", "%") or _is_currency(unit)


def _is_currency(unit: str) -> bool:
    return len(unit) == 1 and unicodedata.category(unit) == "Sc"


def _marks(bodies: set[str], decimal: str | None) -> Notation | Literal["ambiguous"] | None:
    """The notation, without its unit, in which all bodies are numbers; `decimal` counts where it fits all of them."""
    fitting = _fitting(bodies, decimal)
    if not fitting and decimal is not None:
        fitting = _fitting(bodies, None)
    decimal_comma, thousands = Notation(","), Notation(group=",")
    if decimal_comma in fitting and thousands in fitting:
        bare = [body for body in bodies if body.isdigit()]
        return thousands if bare and max(map(len, bare)) <= 3 else "ambiguous"
    return fitting[0] if fitting else None


def _fitting(bodies: set[str], decimal: str | None) -> list[Notation]:
    """The notations in which all bodies are numbers; that of programs alone where it is one of them."""
    if decimal != "," and all(_pattern(Notation()).fullmatch(body) for body in bodies):
        return [Notation()]
    used = {mark for body in bodies for mark in body if not mark.isdigit()}
    return [
        notation
        for mark in ((decimal,) if decimal else DECIMALS)
        for group in GROUPS
        if group != mark and (not group or group in used)
        if all(_pattern(notation := Notation(mark, group)).fullmatch(body) for body in bodies)
    ]


@functools.cache
def _pattern(notation: Notation) -> re.Pattern[str]:
    """What a number looks like in a notation: whole numbers need no marks between their groups of three."""
    whole = r"\d+"
    if notation.group:
        whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{re.escape(notation.group)}\d{{3}})+)"
    mark = re.escape(notation.decimal)
    return re.compile(rf"{whole}(?:{mark}\d*)?|{mark}\d+")
