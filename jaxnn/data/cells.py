"""From the cells of a column, which are text, to numbers, booleans or text: a reader for each."""

import contextlib
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "?")
USUALLY_MISSING = frozenset(MISSING)
CODES = re.compile(r"^[ \t]*0\d+[ \t]*$", re.MULTILINE)
COMMA = re.compile(r"^[ \t]*[+-]?(?:0,|\d{4,},|\d*,(?!\d{3}[ \t]*$))", re.MULTILINE)  # no comma between thousands


class Kinds(NamedTuple):
    """What is known of the columns: the decimal mark, and the names of those that are text and numbers."""

    decimal: str | None
    text: Collection[str]
    number: Collection[str]

    def readers(self, name: str, delimiter: str) -> list[Callable[..., np.ndarray | None]]:
        """The readers to try for a column, in turn."""
        if name in self.text:
            return [texts]
        own = numbers if name in self.number else numbers_without_codes
        if self.decimal == ",":
            return [whole_numbers, booleans, texts]
        commas = [] if delimiter == "," or self.decimal else [comma_numbers]
        return [own, *commas, booleans, texts]


def numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """The cells as float64, or None if one of them is neither a number nor missing."""
    joined = "\n".join(cells)
    if "_" in joined:  # Python's 1_000, which no table means
        return None
    given = joined.replace("\N{MINUS SIGN}", "-").split("\n")
    if len(given) != len(cells):  # a quoted cell with a line break
        return None
    if missing == USUALLY_MISSING:  # among which is `nan`, and no other number
        with contextlib.suppress(ValueError):
            return np.array(given, np.float64)
    absent = np.array([cell.strip() in missing for cell in cells], bool)
    try:
        read = np.array(["nan" if gone else text for gone, text in zip(absent, given, strict=True)], np.float64)
    except ValueError:
        return None
    return read if missing == USUALLY_MISSING or (np.isnan(read) == absent).all() else None


def numbers_without_codes(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `numbers`, but `00501` is a code: a number would lose its zeros."""
    return None if CODES.search("\n".join(cells)) else numbers(cells, missing)


def comma_numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `numbers`, with decimal commas: where there are points too, or three digits behind all, it may be another."""
    joined = "\n".join(cells)
    if "." in joined or ("," in joined and not COMMA.search(joined)) or CODES.search(joined):
        return None
    return numbers(tuple(cell.replace(",", ".") for cell in cells), missing)


def whole_numbers(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """As `numbers`, where no mark stands between the digits that could mean one thing or another."""
    joined = "\n".join(cells)
    return None if "." in joined or "," in joined else numbers_without_codes(cells, missing)


def booleans(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray | None:
    """The cells as bool, or as objects with None among them; None if one of them is something else."""
    values = {"true": True, "false": False} | dict.fromkeys(map(str.lower, missing))
    words = [cell.strip().lower() for cell in cells]
    if not set(words) <= set(values):
        return None
    return compact(np.array([values[word] for word in words], object))


def texts(cells: tuple[str, ...], missing: frozenset[str]) -> np.ndarray:
    """The cells as text without surrounding space, None where missing; equal cells share one string."""
    shared: dict[str, str | None] = dict.fromkeys(missing)
    stripped = [cell.strip() for cell in cells]
    read = np.empty(len(cells), object)
    read[:] = [shared.setdefault(cell, cell) for cell in stripped]
    return read


def compact(values: np.ndarray) -> np.ndarray:
    """Objects that are all booleans as bool."""
    return values.astype(bool) if set(map(type, values.tolist())) == {bool} else values


def spelling(cells: Collection[str]) -> tuple[str, str] | None:
    """How the cells of a column of booleans, or a set of them, write false and true; None if in several ways."""
    stripped = {cell.strip() for cell in cells}
    false, true = ([cell for cell in stripped if cell.lower() == word] for word in ("false", "true"))
    return (false[0], true[0]) if len(false) == len(true) == 1 else None
