"""The inputs of a network that a column becomes, by what was learnt about it from the training rows."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from jaxnn.preprocessing import dates, written
from jaxnn.preprocessing.learnt import LARGEST, Column
from jaxnn.preprocessing.raw import Values, distinct, numbers_of, read_column, reads_as_number, rows_named, text_of
from jaxnn.preprocessing.written import Notation


def read_as(column: Column, values: Any, missing: Collection[str] = ()) -> Values:
    """A raw column of a later table, in which the texts in `missing` and those of the column itself are missing."""
    return read_column(f"Column {column.name!r}", values, (*missing, *column.absent), find_dates=False)


def fill(block: np.ndarray, column: Column, read: Values, clip: bool, fill_missing: bool) -> None:
    """Writes a column's inputs into `block` of shape (n, number of its inputs)."""
    if column.missing == "refused" and read.missing.any() and not fill_missing:
        raise ValueError(
            f"Column {column.name!r} has a missing value in {rows_named(read.missing)}, but had none in training:"
            " fill it in, leave the row out, or have it replaced by the mean or by no category"
            " (fill_missing=True; --fill-missing)."
        )
    if column.kind == "category":
        code_of = {category: j for j, category in enumerate(column.categories)}
        different, place = distinct(read)
        texts = texts_like(column, different)
        unknown = len(code_of) if column.other else -1
        codes = np.array([-1 if text is None else code_of.get(text, unknown) for text in texts], np.int64)
        n = len(code_of) + column.other
        block[:, :n] = codes[place][:, None] == np.arange(n)
    elif column.kind == "date":
        _fill_dates(block, column, read, clip)
    elif column.kind != "unused":
        numbers = numbers_written(read, column.notation)
        if column.kind == "boolean":
            _refuse_not_boolean(read)
        filled = np.where(read.missing, column.mean, numbers)
        if clip and column.least is not None:
            filled = np.clip(filled, column.least, column.most)
        if column.kind == "number":
            filled = standardised(read.what, filled, column.mean, column.scale)
        block[:, 0] = filled
    if column.missing == "marked":
        block[:, -1] = read.missing


def _fill_dates(block: np.ndarray, column: Column, read: Values, clip: bool) -> None:
    """Writes the time in days, and a point on the unit circle for each cyclic part, which is its centre if missing."""
    days = days_written(read, column.form)
    filled = np.where(read.missing, column.mean, days)
    if clip and column.least is not None:
        filled = np.clip(filled, column.least, column.most)
    block[:, 0] = standardised(read.what, filled, column.mean, column.scale)
    parts = dates.parts_of(days)
    for j, part in enumerate(column.parts):
        angle = 2 * np.pi * parts[part] / dates.PERIODS[part]
        block[:, 2 * j + 1] = np.where(read.missing, 0.0, np.sin(angle))
        block[:, 2 * j + 2] = np.where(read.missing, 0.0, np.cos(angle))


def days_written(read: Values, form: str) -> np.ndarray:
    """Dates as days since 1970-01-01, float64 (n,), NaN where missing.

    Raises:
        ValueError: a cell is not a date, or is written differently than in training.
    """
    days = dates.days_of(read.values, form)
    wrong = np.isnan(days) & ~read.missing
    if wrong.any():
        value = read.values[int(np.argmax(wrong))]
        example = dates.example(form)
        otherwise = "" if form in (dates.ISO, *dates.TIMES) else ", or like 2023-01-31"
        raise ValueError(
            f"{read.what} holds {text_of(value)!r} in {rows_named(wrong)}, but held dates written like {example} in"
            f" training: write it like that{otherwise}."
        )
    return days


def numbers_written(read: Values, notation: Notation | None) -> np.ndarray:
    """The values as float64, NaN where missing; text in the notation of the training rows, if that was text.

    Raises:
        ValueError: a cell is not a number, or is written differently.
    """
    if notation is None or read.kind != "category":
        return numbers_of(read)
    numbers = written.numbers(read.values, notation)
    wrong = np.isnan(numbers) & ~read.missing
    if wrong.any():
        value = read.values[int(np.argmax(wrong))]
        raise ValueError(
            f"{read.what} holds the text {value!r} in {rows_named(wrong)}, but"
            f" held numbers written {notation.example} in"
            " training: write it like that, or as a plain number."
        )
    return numbers


def standardised(what: str, numbers: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """(x - mean) / scale, refusing what single precision would turn into infinity."""
    with np.errstate(over="ignore"):
        scaled = (numbers - mean) / scale
    far = ~(np.abs(scaled) <= LARGEST)
    if far.any():
        value = float(numbers[int(np.argmax(far))])
        raise ValueError(
            f"{what} is {value!r} in {rows_named(far)}, too far from the training values,"
            f" whose mean is {mean:.4g} and whose spread is {scale:.4g}."
        )
    return scaled


def relative_counts(what: str, counts: np.ndarray, mean: float) -> np.ndarray:
    """The counts divided by their mean, refusing negative ones and what would be infinite in single precision."""
    negative = counts < 0
    if negative.any():
        value = float(counts[int(np.argmax(negative))])
        raise ValueError(
            f"{what} is {value:g} in {rows_named(negative)}, but counts are ≥ 0: mend or leave out these rows, or train"
            " with problem='numbers', --problem numbers."
        )
    return standardised(what, counts, 0.0, mean)


def texts_like(column: Column, read: Values) -> Sequence[str | None]:
    """The values of a category column as text.

    A file of which all rows say 1 or `true` is read as numbers or booleans, although the training file, which also said
    `G` or `unknown`, was text: such values stand for the category that reads the same.
    """
    known = set(column.categories)
    spelt: dict[tuple[str, float | None], str] = {}
    for category in reversed(column.categories):
        word = category.strip().lower()
        if word in ("true", "false"):
            spelt["boolean", float(word == "true")] = category
        if reads_as_number(word):
            spelt["number", float(word)] = category
    kind = read.kind if read.kind == "boolean" else "number"
    return [
        None if missing else value if value in known else spelt.get((kind, _float_of(value)), _as_text(value, kind))
        for value, missing in zip(list(read.values), read.missing.tolist(), strict=True)
    ]


def _float_of(value: Any) -> float | None:
    """A number, or text that reads as one, as a float."""
    return float(value) if reads_as_number(value) and not written.is_code(str(value)) else None


def _as_text(value: Any, kind: str) -> str:
    return str(bool(value)) if kind == "boolean" else text_of(value)


def _refuse_not_boolean(read: Values) -> None:
    wrong = ~np.isin(read.values, (0.0, 1.0)) & ~read.missing
    if wrong.any():
        value = float(read.values[int(np.argmax(wrong))])
        raise ValueError(f"{read.what} is {value:g} in {rows_named(wrong)}, but was true or false in training.")
