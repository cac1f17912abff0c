"""The columns of raw tables from any library: which kind each is, and which of its values are missing."""

import contextlib
import datetime
import math
from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxnn.preprocessing.dates import Dated, recognise
from jaxnn.preprocessing.frames import column_of

DOUBLE = float(np.finfo(np.float64).eps)
MICROSECONDS = 86_400e6  # of a day, which is the unit of durations
_KEPT: ContextVar[tuple[np.ndarray, int] | None] = ContextVar("kept", default=None)  # see `numbered`


class Values(NamedTuple):
    """One raw column: its kind, its values (float64, or a list of str and None), and which are missing."""

    what: str  # the column as messages call it
    kind: Literal["number", "boolean", "category", "date", "nothing"]
    values: Any
    missing: np.ndarray
    categorical: bool = False  # whether its dtype says so, whatever the values are
    precision: float = DOUBLE  # ε of the numbers as they came
    dated: Dated | None = None  # how dates are written


def read_column(what: str, values: Any, missing: Collection[str] = (), *, find_dates: bool = True) -> Values:
    """Sorts a raw column into one of the kinds; the texts in `missing`, and numbers equal to them, are missing values.

    Without `find_dates`, dates that are text stay text, which saves time where it is known what the column is.
    """
    array, categorical = column_of(values)
    read = _read_array(what, np.asarray(array), missing, find_dates)
    return read._replace(categorical=categorical)


def _read_array(what: str, array: np.ndarray, absent: Collection[str], find_dates: bool) -> Values:
    """As `read_column`, for an array."""
    if array.ndim != 1:
        raise ValueError(f"{what} must be one-dimensional, got shape {array.shape}.")
    if array.dtype.kind in "biuf":
        numbers = array.astype(np.float64)
        codes = [float(text) for text in absent if reads_as_number(text)] if array.dtype.kind != "b" else []
        if codes:
            numbers = np.where(np.isin(numbers, codes), np.nan, numbers)
        missing = np.isnan(numbers)
        kind: Any = "boolean" if array.dtype.kind == "b" else "number"
        precision = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else DOUBLE
        return Values(what, "nothing" if missing.all() else kind, numbers, missing, precision=max(DOUBLE, precision))
    if array.dtype.kind == "m":
        numbers = array.astype("m8[us]").astype(np.float64) / MICROSECONDS
        return _read_array(what, np.where(np.isnat(array), np.nan, numbers), absent, find_dates)
    if array.dtype.kind == "M":
        missing = np.isnat(array)
        whole = {"Y": "M8[D]", "M": "M8[D]", "h": "M8[m]"}.get(np.datetime_data(array.dtype)[0])
        array = array if whole is None else array.astype(whole)  # so that their text is a date of ISO 8601
        texts = [None if gone else str(date) for date, gone in zip(array, missing.tolist(), strict=True)]
        if missing.all():
            return Values(what, "nothing", np.full(len(array), np.nan), missing)
        return Values(what, "date", texts, missing, dated=Dated())
    if array.dtype.kind not in "OUT":
        raise ValueError(f"{what} holds {array.dtype}, which cannot be read: use numbers, booleans or text.")
    items = array.tolist()
    missing = _missing(items, absent)
    if missing.all():
        return Values(what, "nothing", np.full(len(items), np.nan), missing)
    items = [None if gone else item for item, gone in zip(items, missing.tolist(), strict=True)]
    types = set(map(type, items)) - {type(None)}
    if all(issubclass(each, str) for each in types):
        dated = recognise(dict.fromkeys(item for item in items if item is not None)) if find_dates else None
        return Values(what, "date" if dated else "category", items, missing, dated=dated)
    if all(issubclass(each, datetime.timedelta) for each in types):
        lengths = [None if item is None else item / datetime.timedelta(days=1) for item in items]
        return Values(what, "number", _floats(lengths), missing)
    if all(issubclass(each, datetime.date) for each in types):
        return Values(what, "date", items, missing, dated=Dated())
    if all(issubclass(each, datetime.time) for each in types):
        return Values(what, "date", items, missing, dated=Dated("%H:%M:%S"))
    if all(issubclass(each, bool | np.bool_) for each in types):
        return Values(what, "boolean", _floats(items), missing)
    if all(hasattr(each, "__float__") and not issubclass(each, str) for each in types):
        return Values(what, "number", _floats(items), missing)
    if all(hasattr(each, "__float__") or issubclass(each, str) for each in types):
        return Values(what, "category", [None if item is None else text_of(item) for item in items], missing)
    strange = next(each.__name__ for each in types if not hasattr(each, "__float__") and not issubclass(each, str))
    raise ValueError(f"{what} holds values of type {strange}, which cannot be read: use numbers, booleans or text.")


def _floats(items: list[Any]) -> np.ndarray:
    """Python numbers as float64: NaN for None, infinity for whole numbers beyond all floats."""
    numbers = np.full(len(items), np.nan)
    for row, item in enumerate(items):
        if item is not None:
            try:
                numbers[row] = float(item)
            except OverflowError:
                numbers[row] = math.inf
    return numbers


def text_of(value: Any) -> str:
    """A value as the text of a category: whole numbers without a point, whatever their type."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _missing(items: list[Any], absent: Collection[str]) -> np.ndarray:
    """Which items are None, NaN, a text in `absent`, or a marker of pandas, which is not imported to ask."""
    types = set(map(type, items))
    markers = {each for each in types if each is type(None) or each.__name__ in ("NAType", "NaTType")}
    numbers = {each for each in types if issubclass(each, float | np.floating)}
    missing = np.fromiter(
        (type(item) in markers or (type(item) in numbers and item != item) for item in items), bool, len(items)
    )
    codes = frozenset(float(text) for text in absent if reads_as_number(text))
    if codes:  # numbers that are Python's own, as in a column that also has None
        counted = {each for each in types if hasattr(each, "__float__") and not issubclass(each, bool | np.bool_ | str)}
        missing |= np.fromiter((type(item) in counted and item in codes for item in items), bool, len(items))
    if absent and any(issubclass(each, str) for each in types):
        absent = frozenset(absent)
        missing |= np.fromiter((isinstance(item, str) and item.strip() in absent for item in items), bool, len(items))
    return missing


def words_of(missing: Any) -> tuple[str, ...]:
    """What a caller says is missing, as texts: -999 as `-999`; a single one needs no list."""
    alone = isinstance(missing, str) or not hasattr(missing, "__iter__")
    return tuple(each if isinstance(each, str) else text_of(each) for each in ([missing] if alone else missing))


def distinct(read: Values) -> tuple[Values, np.ndarray]:
    """The different values of a column, and for each row the index of its own among them, which saves work."""
    if isinstance(read.values, np.ndarray):
        values, place = np.unique(read.values, return_inverse=True)
        return read._replace(values=values, missing=np.isnan(values)), place.reshape(-1)
    index = {value: j for j, value in enumerate(dict.fromkeys(read.values))}
    place = np.fromiter(map(index.__getitem__, read.values), np.int64, len(read.values))
    return read._replace(values=list(index), missing=np.array([value is None for value in index], bool)), place


def is_array(table: Any) -> bool:
    """Whether `table` is an array without column names (DataFrames have `__array__` too)."""
    return isinstance(table, list | tuple) or (hasattr(table, "__array__") and not hasattr(table, "columns"))


def common_length(columns: Sequence[Values]) -> int:
    """The number of rows, which all columns share."""
    lengths = {len(column.missing): column.what for column in columns}
    if len(lengths) > 1:
        counts = ", ".join(f"{what} has {n}" for n, what in lengths.items())
        raise ValueError(f"All columns must have the same number of rows: {counts}.")
    return next(iter(lengths))


def check_matrix(x: np.ndarray, n_columns: int | None) -> None:
    """Refuses arrays that are not (n, n_columns)."""
    if x.ndim != 2:
        raise ValueError(
            f"An array of inputs must have shape (rows, columns), got {x.shape}; one row is x.reshape(1, -1)."
        )
    if n_columns is not None and x.shape[1] != n_columns:
        raise ValueError(f"The array has {x.shape[1]} columns, the model was trained on {n_columns}.")


def numbers_of(read: Values) -> np.ndarray:
    """The values as float64, NaN where missing."""
    if read.kind in ("category", "date"):
        wrong = np.array([not reads_as_number(value) for value in read.values], bool) & ~read.missing
        where = wrong if wrong.any() else ~read.missing
        value = str(read.values[int(np.argmax(where))])
        raise ValueError(f"{read.what} holds the text {value!r} in {rows_named(where)}, but a number is expected.")
    refuse_infinite(read)
    return read.values


def reads_as_number(text: Any) -> bool:
    """Whether a cell of text is a finite number; `1_0`, which is one to Python, is not."""
    try:
        return "_" not in str(text) and math.isfinite(float(text))
    except (TypeError, ValueError):
        return False


def refuse_infinite(read: Values) -> None:
    """Raises ValueError, naming the row, if a number is infinite."""
    infinite = np.isinf(read.values)
    if infinite.any():
        raise ValueError(f"{read.what} is infinite in {rows_named(infinite)}; numbers must be finite.")


def rows_named(wrong: np.ndarray) -> str:
    """The row of the first wrong value, and how many more there are."""
    more = int(wrong.sum()) - 1
    row, n_rows = int(np.argmax(wrong)), len(wrong)
    kept = _KEPT.get()
    if kept is not None and len(kept[0]) == n_rows:
        row, n_rows = int(kept[0][row]), kept[1]
    return f"row {row + 1} of {n_rows}" + (f" (and {more} more)" if more else "")


@contextlib.contextmanager
def numbered(kept: np.ndarray | None, n_rows: int) -> Iterator[None]:
    """Messages within name rows by their place in the table that was given, of which some rows were left out.

    Args:
        kept: the places, from 0 on, of the rows that are left; None for all.
        n_rows: the number of rows given.
    """
    token = _KEPT.set(None if kept is None else (kept, n_rows))
    try:
        yield
    finally:
        _KEPT.reset(token)


def listed(names: Sequence[Any], most: int = 10) -> str:
    """Names for a message, cut short when there are many."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
