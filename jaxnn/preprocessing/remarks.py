"""Warnings about a table from which predictions are made."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from jaxnn.preprocessing import dates
from jaxnn.preprocessing.filling import days_written, numbers_written, read_as
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.learnt import Column
from jaxnn.preprocessing.raw import Values, is_array, listed
from jaxnn.preprocessing.transform import Preprocessing

MOST = 5  # columns that are named at most


def remarks(fitted: Preprocessing, table: Any, *, clip: bool = False, fill_missing: bool = False) -> tuple[str, ...]:
    """The reasons why predictions from `table` are doubtful, one line each; empty if there are none.

    A number or a date is far outside the training range [least, most] of its column if its distance from the range
    exceeds the range's width: there, the network has learnt nothing. Further reasons are fractions where training had
    per cent, and missing values that `fill_missing` replaced.

    Args:
        fitted: the transformation, which must accept the table.
        table: as for `Preprocessing.inputs`.
        clip: as for `Preprocessing.inputs`.
        fill_missing: as for `Preprocessing.inputs`.
    """
    columns = _columns(fitted, table)
    found = (
        _far(fitted, columns, clip),
        _fractions(fitted, columns),
        _filled(fitted, columns) if fill_missing else None,
    )
    return tuple(remark for remark in found if remark is not None)


def _columns(fitted: Preprocessing, table: Any) -> Mapping[str, Any]:
    """The columns of a table or of an array by name."""
    if is_array(table):
        array = np.asarray(table)
        return {column.name: array[:, j] for j, column in enumerate(fitted.columns)}
    return columns_of(table)


def _read(fitted: Preprocessing, columns: Mapping[str, Any], column: Column) -> Values:
    return read_as(column, columns[column.name], fitted.missing)


def _far(fitted: Preprocessing, columns: Mapping[str, Any], clip: bool) -> str | None:
    """The numbers and dates far outside the training range: in how many rows, and in which columns."""
    found, rows = [], np.zeros(0, bool)
    for column in fitted.columns:
        if column.least is None or column.most is None:
            continue
        values = _numbers(fitted, columns, column)
        width = column.most - column.least
        far = (values < column.least - width) | (values > column.most + width)
        if far.any():
            rows = far | (rows if len(rows) else False)
            text = partial(dates.written, form=column.form) if column.kind == "date" else "{:.6g}".format
            example, least, most = map(text, (float(values[np.argmax(far)]), column.least, column.most))
            found.append(f"{column.name!r} in {int(far.sum()):,}, such as {example} ({least} to {most} in training)")
    if not found:
        return None
    shown = ", ".join(found[:MOST]) + (f" and {len(found) - MOST:,} more columns" if len(found) > MOST else "")
    what = "Numbers or dates" if any(column.kind == "date" for column in fitted.columns) else "Numbers"
    remedy = "they are limited to that range" if clip else "clip=True (--clip) limits them to that range"
    return (
        f"{what} are far outside the training range in {int(rows.sum()):,} of {_counted(len(rows))}: {shown}; {remedy}"
    )


def _numbers(fitted: Preprocessing, columns: Mapping[str, Any], column: Column) -> np.ndarray:
    """A column's numbers or days, NaN where missing; arrays of them as they are, since an image has many columns."""
    values = columns[column.name]
    if column.kind == "date":
        return days_written(_read(fitted, columns, column), column.form)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and not (fitted.missing or column.absent):
        return values
    return numbers_written(_read(fitted, columns, column), column.notation)


def _fractions(fitted: Preprocessing, columns: Mapping[str, Any]) -> str | None:
    """Columns that were per cent in training, and look like fractions without the sign."""
    found = []
    for column in fitted.columns:
        if column.notation is None or column.notation.unit != "%" or column.least is None or column.most is None:
            continue
        read = _read(fitted, columns, column)
        signs = read.kind == "category" and any("%" in str(value) for value in read.values)
        numbers = numbers_written(read, column.notation)[~read.missing]
        if not signs and numbers.any() and np.abs(numbers).max() <= 1 < max(abs(column.least), abs(column.most)):
            found.append(column.name)
    if not found:
        return None
    return (
        f"Values are at most 1 and have no percent sign, although training had per cent: {listed(found)};"
        " 0.45 is read as 0.45 %, not as 45 %"
    )


def _filled(fitted: Preprocessing, columns: Mapping[str, Any]) -> str | None:
    """Columns with missing values that had none in training."""
    found = []
    for column in fitted.columns:
        if column.kind != "unused" and column.missing == "refused":
            missing = int(_read(fitted, columns, column).missing.sum())
            if missing:
                found.append(f"{column.name!r} in {_counted(missing)}")
    if not found:
        return None
    return f"Missing values were replaced by the mean or by no category, although training had none: {', '.join(found)}"


def _counted(n: int) -> str:
    return f"{n:,} row" if n == 1 else f"{n:,} rows"
