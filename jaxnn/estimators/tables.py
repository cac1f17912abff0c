"""X, to the inputs of a network: arrays of numbers as they are, DataFrames by their columns.

    array        (n, columns) of numbers; NaN is a missing value
    DataFrame    of pandas, polars or Arrow: numbers, booleans, categories, missing values (`preprocessing.fit`)

scikit-learn keeps the names and the number of columns, and refuses what has others.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_array, validation

from jaxnn import preprocessing
from jaxnn.preprocessing.frames import columns_of
from jaxnn.preprocessing.raw import listed, read_column, reads_as_number
from jaxnn.preprocessing.transform import Preprocessing

# One keyword was renamed in scikit-learn 1.6.
FINITE = "ensure_all_finite" if hasattr(validation, "validate_data") else "force_all_finite"
TARGET = "target"


def is_table(x: Any) -> bool:
    """Whether x has named columns: a DataFrame or an Arrow table."""
    return hasattr(x, "columns") or hasattr(type(x), "column_names")


def checked(estimator: Any, x: Any, *, reset: bool) -> Any:
    """X as an array of floating-point numbers, or the DataFrame; scikit-learn's attributes for it are set or compared.

    Args:
        estimator: whose attributes they are.
        x: (n, columns).
        reset: whether this is a new X, or is to be like that of `fit`.

    Raises:
        ValueError: shape, names or values are not those of a table, or not those of `fit`.
        TypeError: it is sparse, or holds something other than numbers.
    """
    if reset:
        estimator._from_table = is_table(x)
    if is_table(x):
        if estimator._from_table:
            _compare(estimator, x, reset=reset)
            _refuse_empty(x)
            return x
        _compare(estimator, x, reset=False)  # warns that fit saw an array
        x = np.asarray(x)
    else:
        _compare_names(estimator, x, reset=reset)
    array = as_numbers(x, estimator)
    _compare_width(estimator, array, reset=reset)
    return array


def as_numbers(x: Any, estimator: Any = None) -> np.ndarray:
    """X as a two-dimensional array, float32 if it was, else float64; not copied if it is one already.

    Raises:
        ValueError: it has text, complex or infinite numbers, or another shape.
        TypeError: it is sparse, or holds objects that are no numbers.
    """
    options: dict[str, Any] = {FINITE: "allow-nan"}
    try:
        return check_array(x, dtype=(np.float64, np.float32), input_name="X", estimator=estimator, **options)
    except ValueError as error:
        text = _first_text(x)
        if text is None:
            raise
        raise ValueError(
            f"X holds the text {text!r} where an array may hold numbers alone: give a DataFrame, whose columns may be"
            " categories, or turn the text into numbers (OneHotEncoder)."
        ) from error


def _first_text(x: Any) -> str | None:
    """The first text that reads as no number, if there is one."""
    cells = np.asarray(x, object).ravel().tolist()
    return next((str(cell) for cell in cells if isinstance(cell, str) and not reads_as_number(cell)), None)


def _compare(estimator: Any, x: Any, *, reset: bool) -> None:
    """Sets or compares the names and the number of columns, by scikit-learn's own rules."""
    _compare_names(estimator, x, reset=reset)
    _compare_width(estimator, x, reset=reset)


def _compare_names(estimator: Any, x: Any, *, reset: bool) -> None:
    check = getattr(validation, "_check_feature_names", None)  # a method of every estimator before 1.6
    if check is None:
        estimator._check_feature_names(x, reset=reset)
    else:
        check(estimator, x, reset=reset)


def _compare_width(estimator: Any, x: Any, *, reset: bool) -> None:
    check = getattr(validation, "_check_n_features", None)
    if check is None:
        estimator._check_n_features(x, reset=reset)
    else:
        check(estimator, x, reset=reset)


def taken(x: Any, rows: np.ndarray) -> Any:
    """Some rows of an array or a table, by their numbers."""
    arrow = hasattr(type(x), "column_names")  # which scikit-learn 1.5 cannot index
    return x.take(rows) if arrow else _safe_indexing(x, rows)


def _refuse_empty(x: Any) -> None:
    if not len(x):
        raise ValueError(f"X has no rows, 0 of {len(columns_of(x))} columns: a minimum of 1 is required.")


def learnt(x: Any, y: np.ndarray, rows: np.ndarray, weight: np.ndarray | None, *, scale: bool) -> Preprocessing:
    """What the training rows say about the columns of X.

    Args:
        x: as `checked` gives it.
        y: class codes or numbers (n,), as the target of the table.
        rows: the training rows.
        weight: of all rows, (n,), which count so much in means and scales; None for equal ones.
        scale: whether numbers are standardised, or go into the network as they are.

    Raises:
        ValueError: a column cannot be used.
    """
    problem = "classes" if y.dtype.kind == "i" else "numbers"
    if is_table(x):
        columns = columns_of(x)
        name = _free_name(columns)
        # Numbers that the caller passes are meant as numbers, even if they look as if they numbered the rows.
        read = {each: read_column(each, values) for each, values in columns.items()}
        number = [each for each, values in read.items() if values.kind == "number" and not values.categorical]
        fitted = preprocessing.fit({**columns, name: y}, name, problem=problem, rows=rows, number=number)
    else:
        empty = np.isnan(x[rows]).all(axis=0) if x.dtype.kind == "f" else np.zeros(x.shape[1], bool)
        if empty.any():
            raise ValueError(
                f"Column {int(np.argmax(empty))} of X has no values in the training rows: leave it out, or fill it in."
            )
        fitted = preprocessing.fit_arrays(x, y, problem=problem, rows=rows)
    if not scale:
        return _unscaled(fitted)
    return fitted if weight is None else _reweighted(fitted, inputs(fitted, x)[rows], weight[rows])


def _free_name(columns: Any) -> str:
    """A name for the target that no column has."""
    name = TARGET
    while name in columns:
        name += "_"
    return name


def _unscaled(fitted: Preprocessing) -> Preprocessing:
    """The same, with numbers left as they are; a missing one becomes 0."""
    return fitted._replace(
        columns=tuple(
            column._replace(mean=0.0, scale=1.0) if column.kind == "number" else column for column in fitted.columns
        )
    )


def _reweighted(fitted: Preprocessing, standardised: np.ndarray, weight: np.ndarray) -> Preprocessing:
    """The same, with weighted means and scales, in which a row of weight 2 counts as two rows.

    Of z = (x - μ) / σ with weighted mean m and deviation s, the mean and deviation of x are μ + σ m and σ s.
    """
    columns, start = [], 0
    for column in fitted.columns:
        stop = start + len(column.input_names)
        if column.kind == "number":
            z = standardised[:, start]
            present = standardised[:, stop - 1] == 0 if column.missing == "marked" else np.ones(len(z), bool)
            mean, deviation = weighted_mean_and_scale(z[present], weight[present])
            column = column._replace(mean=column.mean + column.scale * mean, scale=column.scale * deviation)
        columns.append(column)
        start = stop
    return fitted._replace(columns=tuple(columns))


def weighted_mean_and_scale(x: np.ndarray, weight: np.ndarray) -> tuple[Any, Any]:
    """Σ w x / Σ w and √(Σ w (x - mean)² / Σ w) along the first axis; the deviation of a constant is taken as 1.

    Taken relative to the largest magnitude, so neither sums nor squares overflow or vanish.
    """
    largest = np.abs(x).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    relative, weight = x / unit, weight / weight.max()
    mean = np.average(relative, axis=0, weights=weight)
    deviation = np.sqrt(np.average((relative - mean) ** 2, axis=0, weights=weight)) * unit
    varies = (x.max(axis=0) > x.min(axis=0)) & (deviation > 0)
    return mean * unit, np.where(varies, deviation, 1.0)


def inputs(fitted: Preprocessing, x: Any) -> np.ndarray:
    """The inputs that a model has for X, (n, n_in); missing values are filled in, whether or not training had any."""
    return fitted.inputs(x, fill_missing=True)


def network_inputs(fitted: Preprocessing, x: Any, *, pad: bool) -> np.ndarray:
    """The inputs of the network: those of the model, and if it is padded also a 0 for each column that is not used.

    A column may be constant in one fold and not in another. Networks for arrays are padded, so all folds have one
    shape, which is compiled once, and the first layer has the shape that scikit-learn's would have.
    """
    z = inputs(fitted, x)
    used, width = _places(fitted)
    if not pad or len(used) == width:
        return z
    padded = np.zeros((len(z), width))
    padded[:, used] = z
    return padded


def used_inputs(fitted: Preprocessing, width: int) -> np.ndarray:
    """Which inputs of a network with so many of them its model has."""
    used, padded = _places(fitted)
    return used if width == padded else np.arange(width)


def _places(fitted: Preprocessing) -> tuple[np.ndarray, int]:
    """The places of the model's inputs among those of an array's network, and how many that has."""
    places: list[int] = []
    start = 0
    for column in fitted.columns:
        count = len(column.input_names)
        places += range(start, start + count)
        start += max(1, count)
    return np.array(places, int), start


def warn_of(fitted: Preprocessing, x: Any) -> None:
    """Warns of categories that training did not see, for which all inputs of their column are 0."""
    if is_table(x) and any(column.kind == "category" for column in fitted.columns):
        for name, unknown in fitted.unknown_categories(x).items():
            warnings.warn(
                f"Column {name!r} has categories that fit did not see, {listed(unknown)}: they count as none of the"
                " known ones. Fit on rows that have them, or group rare categories.",
                stacklevel=4,
            )
