"""Learning the transformation from the training rows."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnn import checks, wording
from jaxnn.preprocessing import deciding, marks, notes
from jaxnn.preprocessing.columns import (
    fit_column,
    refuse_nothing_left,
    with_decimal_commas,
    without_identifiers,
)
from jaxnn.preprocessing.deciding import Ambiguous, ColumnOptions
from jaxnn.preprocessing.explaining import Explained, Explanation, explanation, of_values
from jaxnn.preprocessing.faults import raise_all
from jaxnn.preprocessing.fitted import Fitted
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.learnt import Column
from jaxnn.preprocessing.raw import Values, check_matrix, common_length, read_column
from jaxnn.preprocessing.scales import mean_and_scale, refuse_long
from jaxnn.preprocessing.stored import MAX_COLUMNS
from jaxnn.preprocessing.targets import FittedTarget, fit_target, problem_wanted
from jaxnn.preprocessing.transform import Preprocessing


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
    missing: Any = (),
    date: Sequence[str] = (),
) -> Preprocessing:
    """Learns the transformation of a table.

    The result's `notes` list every decision that could have gone otherwise.

    Args:
        columns: a mapping from names to columns of equal length, a `data.Table`, or a DataFrame.
        target: the name of the column to predict.
        problem: "classes", "numbers" or "counts"; None decides by `problem_of`, between the first two.
        drop: the names of columns to leave out.
        rows: indices of the training rows, all by default. Means, scales and categories come from these rows alone;
            the names of the classes, what kind a column is, and whether missing values occur, from all.
        category: names of columns whose values are categories, whatever they look like.
        number: names of columns whose values are numbers, whatever they look like, `3 kg` included.
        decimal: the decimal mark, "." or ",", of numbers that are text, where their column leaves it open.
        missing: texts or numbers that stand for a missing value, here and in every later table.
        date: names of columns that hold dates, or `name=form` with how these are written in the directives of
            `strptime`, such as "seen=%d/%m/%Y".

    Raises:
        ValueError: a name is unknown or occurs twice, nothing is left to learn from, or columns or the target cannot be
            used as they are: numbers with other text among them or with commas that may mean two things, missing
            targets (leave such rows out, as `experiments.source` does), a target with only one class. All faults of a
            table are told at once, one on each line.
        ImportError: a column belongs to a library of DataFrames, and narwhals is not installed.
    """
    options: dict[str, Any] = {
        "category": category,
        "number": number,
        "decimal": decimal,
        "missing": missing,
        "date": date,
    }
    found = _learnt(columns, target, problem, drop, rows, **options)
    raise_all(found.faults, found.fault)
    assert found.target is not None  # else it has a fault
    return _together(list(found.fitted.values()), found.target)._replace(missing=found.options.missing)


def explain(columns: Any, target: str, *, problem: str | None = None, rows: Any = None, **options: Any) -> Explanation:
    """What `fit` does with each column of a table, or why it refuses, as data; `print` gives a table.

    Args:
        columns: as for `fit`.
        target: as for `fit`.
        problem: as for `fit`.
        rows: as for `fit`.
        **options: drop, category, number, decimal, missing and date, as for `fit`.

    Raises:
        ValueError: a name is unknown or occurs twice, or there are no rows or columns.
        ImportError: as for `fit`.
    """
    words = {"drop": (), "category": (), "number": (), "decimal": None, "missing": (), "date": ()} | options
    found = _learnt(columns, target, problem, words.pop("drop"), rows, **words)
    return explanation(found.read, found.fitted, found.faults, _target_explained(target, found), found.fault)


class _Learnt(NamedTuple):
    """What was learnt about a table, and what could not be."""

    options: ColumnOptions
    read: dict[str, Values | ValueError]
    values: Values
    fitted: dict[str, Fitted]
    faults: dict[str, ValueError]
    target: FittedTarget | None
    fault: ValueError | None


def _learnt(columns: Any, target: str, problem: str | None, drop: Any, rows: Any, **words: Any) -> _Learnt:
    """Learns all columns and the target, as far as they can be used."""
    options, read, values = _read(columns, target, drop, **words)
    chosen = _checked_rows(rows, len(values.missing))
    commas = getattr(columns, "decimal_commas", ())  # of a `data.Table`
    fitted, faults = _fit_columns(read, (target, values), chosen, options, commas)
    try:
        learnt = fit_target(target, values, chosen, problem_wanted(target, problem, options), (), options)
    except ValueError as fault:
        return _Learnt(options, read, values, fitted, faults, None, fault)
    if target in commas and learnt.target.problem != "classes":
        learnt = learnt.with_decimal_commas()
    return _Learnt(options, read, values, fitted, faults, learnt, None)


def _target_explained(name: str, found: _Learnt) -> Explained:
    """What is done with the target."""
    missing, example = of_values(found.values)
    change = f"--problem, --category {shlex.quote(name)}"
    if found.target is None:
        return Explained(name, "fault", 0, missing, example, str(found.fault), change)
    target = found.target.target
    decided = f"(y - {target.mean:.6g}) / {target.scale:.6g}"
    if target.problem == "counts":
        decided = f"counts, {target.scale:.6g} on average, by Poisson regression"
    if target.problem == "classes":
        decided = f"one of {len(target.classes)}: {wording.listed(target.class_names)}"
    lines = notes.grouped(found.target.notes)
    return Explained(name, f"target: {target.problem}", 0, missing, example, "; ".join(lines) or decided, change)


def _read(
    columns: Any, target: str, drop: Any, category: Any, number: Any, decimal: str | None, missing: Any, date: Any
) -> tuple[ColumnOptions, dict[str, Values | ValueError], Values]:
    """The caller's options, the columns to predict from and the target, whose names and lengths are checked."""
    table = columns_of(columns)
    options = deciding.column_options(table, category, number, decimal, missing, date)
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
    read = {name: _read_or_fault(name, table[name], options.missing) for name in names}
    values = read_column(f"Target {target!r}", table[target], options.missing)
    n = common_length([*(each for each in read.values() if isinstance(each, Values)), values])
    if n == 0:
        raise ValueError("The table has no rows to learn from.")
    return options, read, values


def _fit_columns(
    read: Mapping[str, Values | ValueError],
    target: tuple[str, Values],
    rows: np.ndarray,
    options: ColumnOptions,
    commas: Collection[str],
) -> tuple[dict[str, Fitted], dict[str, ValueError]]:
    """Learns each column from its training rows: those that can be used, and the faults of the others."""
    fitted: dict[str, Fitted] = {}
    faults: dict[str, ValueError] = {name: each for name, each in read.items() if isinstance(each, ValueError)}
    readable = {name: each for name, each in read.items() if isinstance(each, Values)}
    for name, column in readable.items():
        try:
            learnt = fit_column(name, column, rows, options)
            fitted[name] = with_decimal_commas(learnt) if name in commas else learnt
        except ValueError as fault:
            faults[name] = fault
    mark, shown = marks.evidence(readable | dict([target]), fitted, commas)
    for name in [name for name, fault in faults.items() if isinstance(fault, Ambiguous) and mark is not None]:
        learnt = fit_column(name, readable[name], rows, options._replace(decimal=mark))
        fitted[name] = marks.noted(learnt, name, str(mark), shown)
        del faults[name]
    settled = without_identifiers(list(fitted.values()))
    by_name = dict(zip(fitted, settled, strict=True))
    return {name: by_name[name] for name in read if name in by_name}, {n: faults[n] for n in read if n in faults}


def _read_or_fault(name: str, values: Any, missing: tuple[str, ...]) -> Values | ValueError:
    try:
        return read_column(f"Column {name!r}", values, missing)
    except ValueError as fault:
        return fault


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
        problem: "classes", "numbers" or "counts"; None decides by `problem_of`, between the first two.
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
