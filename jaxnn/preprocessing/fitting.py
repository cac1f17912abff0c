"""Learning the transformation from the training rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.preprocessing import deciding, notes
from jaxnn.preprocessing.columns import (
    Fitted,
    fit_column,
    refuse_nothing_left,
    with_decimal_commas,
    without_identifiers,
)
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.raw import check_matrix, common_length, read_column
from jaxnn.preprocessing.scales import mean_and_scale, refuse_long
from jaxnn.preprocessing.stored import MAX_COLUMNS
from jaxnn.preprocessing.targets import FittedTarget, fit_target, problem_wanted
from jaxnn.preprocessing.transform import Column, Preprocessing


def fit(
    columns: Any,
    target: str,
    *,
    problem: str | None = None,
    drop: Sequence[str] = (),
    rows: Any = None,
    category: Sequence[str] = (),
    number: Sequence[str] = (),
    decimal: str | None = None,
    missing: Sequence[str] = (),
) -> Preprocessing:
    """Learns the transformation of a table.

    The result's `notes` list every decision that could have gone otherwise.

    Args:
        columns: a mapping from names to columns of equal length, a `data.Table`, or a DataFrame.
        target: the name of the column to predict.
        problem: "classes" or "numbers"; None decides by `problem_of`.
        drop: the names of columns to leave out.
        rows: indices of the training rows, all by default. Means, scales and categories come from these rows alone;
            the names of the classes, what kind a column is, and whether missing values occur, from all.
        category: names of columns whose values are categories, whatever they look like.
        number: names of columns whose values are numbers, whatever they look like, `3 kg` included.
        decimal: the decimal mark, "." or ",", of numbers that are text, where their column leaves it open.
        missing: texts that stand for a missing value, here and in every later table.

    Raises:
        ValueError: a name is unknown or occurs twice, nothing is left to learn from, or a column cannot be used as
            it is: dates, identifiers as text, no values at all, numbers with other text among them or with commas
            that may mean two things, missing targets, a target with only one class.
        ImportError: a column belongs to a library of DataFrames, and narwhals is not installed.
    """
    table = columns_of(columns)
    options = deciding.column_options(table, category, number, decimal, missing)
    checks.one_of(target, table, "target column")
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    for name in drop:
        checks.one_of(name, table, "column to drop")
    if target in drop:
        raise ValueError(f"The target {target!r} cannot be dropped.")
    names = [name for name in table if name != target and name not in drop]
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"The table has {len(names)} columns, more than the {MAX_COLUMNS} that are accepted.")
    refuse_long("The header", [*names, target])
    if not names:
        raise ValueError("No columns are left to predict from: only the target remains.")
    read = {name: read_column(f"Column {name!r}", table[name], options.missing) for name in names}
    values = read_column(f"Target {target!r}", table[target], options.missing)
    n = common_length([*read.values(), values])
    if n == 0:
        raise ValueError("The table has no rows to learn from.")
    chosen = _checked_rows(rows, n)
    commas = getattr(columns, "decimal_commas", ())  # of a `data.Table`
    fitted = [fit_column(name, column, chosen, options) for name, column in read.items()]
    fitted = [with_decimal_commas(each) if each.column.name in commas else each for each in fitted]
    learnt = fit_target(target, values, chosen, problem_wanted(target, problem, options), (), options)
    if target in commas and learnt.target.problem == "numbers":
        learnt = learnt.with_decimal_commas()
    return _together(without_identifiers(fitted), learnt)._replace(missing=options.missing)


def fit_arrays(
    x: Any,
    y: Any,
    *,
    input_names: Sequence[str] | None = None,
    target_name: str = "target",
    class_names: Sequence[str] = (),
    problem: str | None = None,
    common_scale: bool = False,
    rows: Any = None,
) -> Preprocessing:
    """Learns the transformation of an array of inputs, such as the bundled data sets.

    Args:
        x: numbers of shape (n, n_columns).
        y: targets of shape (n,).
        input_names: one name per column; "x0", "x1", … by default.
        target_name: a name for the target.
        class_names: names of the classes in the sorted order of their labels; the labels themselves by default.
        problem: "classes" or "numbers"; None decides by `problem_of`.
        common_scale: one mean and one scale for all columns, as for the pixels of an image.
        rows: indices of the training rows, all by default.

    Raises:
        ValueError: shapes or names do not fit together, or as `fit`.
    """
    x = np.asarray(x)
    if input_names is None:
        input_names = [f"x{j}" for j in range(x.shape[1] if x.ndim == 2 else 0)]
    check_matrix(x, None)
    if x.shape[1] == 0:
        raise ValueError("The array of inputs has no columns.")
    if len(input_names) != x.shape[1] or len(set(input_names)) != len(input_names):
        raise ValueError(
            f"input_names must be {x.shape[1]} different names, got {len(input_names)}"
            f" ({len(set(input_names))} different)."
        )
    if x.dtype.kind not in "biuf":
        raise ValueError(f"The array of inputs must hold numbers, got {x.dtype}: use fit(columns).")
    values = read_column(f"Target {target_name!r}", y)
    if len(values.missing) != len(x):
        raise ValueError(f"Inputs have {len(x)} rows, targets have {len(values.missing)}.")
    if len(x) == 0:
        raise ValueError("The arrays have no rows to learn from.")
    chosen = _checked_rows(rows, len(x))
    if common_scale:
        if not np.isfinite(x).all():
            raise ValueError("A common scale is for images, which have no missing or infinite values.")
        numbers = x[chosen].astype(np.float64).ravel()
        mean, scale = mean_and_scale(numbers)
        least, most = float(numbers.min()), float(numbers.max())
        fitted = [Fitted(Column(name, "number", mean, scale, least=least, most=most)) for name in input_names]
    else:
        fitted = [
            fit_column(name, read_column(f"Column {name!r}", x[:, j]), chosen) for j, name in enumerate(input_names)
        ]
    return _together(fitted, fit_target(target_name, values, chosen, problem, tuple(class_names)))


def _together(fitted: list[Fitted], learnt: FittedTarget) -> Preprocessing:
    """The transformation, with its notes."""
    refuse_nothing_left(fitted)
    lines = notes.grouped([*(note for each in fitted for note in each.notes), *learnt.notes])
    return Preprocessing(tuple(each.column for each in fitted), learnt.target, lines)


def _checked_rows(rows: Any, n: int) -> np.ndarray:
    """Row indices, or all rows for None."""
    if rows is None:
        return np.arange(n)
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
        raise ValueError(f"rows must be a non-empty array of row indices, got {rows.dtype} {rows.shape}.")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"rows must be in 0..{n - 1}, got {rows.min()}..{rows.max()}.")
    return rows
