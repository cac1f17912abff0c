"""Columns and names of tables from any library, through narwhals: nulls stay nulls, and categorical dtypes count."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnn import checks

LIBRARIES = ("pandas", "polars", "pyarrow", "narwhals", "modin", "cudf")


def column_of(values: Any) -> tuple[Any, bool]:
    """A column as an array or a list, None or NaN where missing, and whether its dtype says that it is categorical.

    Raises:
        ImportError: it belongs to a library of DataFrames, and narwhals is not installed.
    """
    if type(values).__module__.partition(".")[0] not in LIBRARIES:
        return _untouched(values), False
    narwhals = checks.require("narwhals", extra="tables", purpose="to read columns of DataFrames")
    series = narwhals.from_native(values, series_only=True, pass_through=True)
    if not isinstance(series, narwhals.Series):
        return _bare(values)
    kind = series.dtype
    if isinstance(kind, narwhals.Categorical | narwhals.Enum):
        return _untouched(series.to_list()), True
    if kind.is_numeric() and not kind.is_decimal() and not series.null_count():
        return series.to_numpy(), False
    # As objects, because numpy would give all texts the width of the longest.
    return np.array(series.to_list(), object), False


def _bare(values: Any) -> tuple[Any, bool]:
    """As `column_of`, for what is not a series: pyarrow.Array, pandas.Categorical and other arrays of pandas."""
    if hasattr(values, "to_pylist"):
        return _untouched(values.to_pylist()), hasattr(values, "dictionary")
    return values, str(getattr(values, "dtype", "")) == "category"


def columns_of(table: Any) -> dict[str, Any]:
    """The columns of any kind of table, by name.

    Raises:
        TypeError: it is not a table.
        ValueError: two columns have one name, or names that are written alike, such as 1 and "1".
    """
    if isinstance(table, Mapping):
        _refuse_same(list(table))
        return {str(name): table[name] for name in table}
    labels = getattr(table, "columns", None)
    if hasattr(type(table), "column_names"):  # pyarrow, whose `columns` are the values
        labels = table.column_names
    if labels is None:
        raise TypeError(
            "A table must be a mapping from names to columns, a jaxnn.data.Table or a DataFrame,"
            f" got {type(table).__name__}."
        )
    _refuse_same(list(labels))
    return {str(label): table[label] for label in labels}


def _refuse_same(labels: list[Any]) -> None:
    """Raises ValueError, naming them, if two labels are one name as text."""
    seen: dict[str, tuple[int, Any]] = {}
    for place, label in enumerate(labels, 1):
        first, other = seen.setdefault(str(label), (place, label))
        if first != place:
            types = "" if type(label) is type(other) else f" ({type(other).__name__} and {type(label).__name__})"
            raise ValueError(f"Columns {first} and {place} are both called {str(label)!r}{types}: rename one of them.")


def take(values: Any, rows: np.ndarray) -> Any:
    """Some rows of a column, of the type that the column had, where rows can be taken from it."""
    if isinstance(values, list | tuple):
        return [values[row] for row in rows.tolist()]
    taken = getattr(values, "take", None)  # by place, where pandas' own brackets go by label
    if callable(taken):
        return taken(rows)
    return values[rows] if type(values).__module__.partition(".")[0] in LIBRARIES else np.asarray(values)[rows]


def _untouched(values: Any) -> Any:
    """A list with text or booleans in it as objects: numpy would make `nan` of NaN, and 1 of True beside it."""
    if isinstance(values, list | tuple) and any(isinstance(value, str | bool) for value in values):
        return np.array(values, object)
    return values
