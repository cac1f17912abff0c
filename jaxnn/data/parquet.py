"""Parquet, through pyarrow and narwhals."""

import re
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.data.cells import compact
from jaxnn.data.table import Table

INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


def read_parquet(name: str) -> Table:
    """Reads Parquet; whatever a damaged file makes its reader raise becomes a ValueError."""
    parquet = checks.require("pyarrow.parquet", extra="tables", purpose="to read Parquet")
    narwhals = checks.require("narwhals", extra="tables", purpose="to read Parquet")
    try:
        schema = parquet.read_schema(name)
        twice = next((each for each in schema.names if schema.names.count(each) > 1), None)
        if twice is not None:
            raise ValueError(f"two columns are called {twice!r}; rename one")
        frame = narwhals.read_parquet(name, backend="pyarrow")
        categorical = _categorical_for_pandas(schema)
        columns = {str(each): _column(frame[each], each in categorical) for each in frame.columns}
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{name!r} is a damaged Parquet file: {first_line(error)}.") from None
    except Exception as error:
        raise ValueError(f"{name!r} cannot be read as Parquet: {first_line(error)}.") from None
    if not columns or len(frame) == 0:
        raise ValueError(f"{name!r} has no {'rows' if columns else 'columns'}.")
    labels = [each for each in columns if INDEX.fullmatch(each)]
    if not labels or len(labels) == len(columns):
        return Table(columns, len(frame), name)
    told = f"The index of a DataFrame, which had no name ({', '.join(labels)}): left out."
    return Table({each: columns[each] for each in columns if each not in labels}, len(frame), name, remarks=(told,))


def _categorical_for_pandas(schema: Any) -> set[str]:
    """The columns that pandas wrote as categorical; of numbers, the file's own types have forgotten it."""
    described = schema.pandas_metadata or {}
    return {each["name"] for each in described.get("columns", ()) if each.get("pandas_type") == "categorical"}


def _column(series: Any, categorical: bool) -> np.ndarray:
    """A narwhals series: numbers as float64, categories as text, the rest as objects for preprocessing."""
    if categorical or type(series.dtype).__name__ in ("Categorical", "Enum"):
        values = np.empty(len(series), object)
        values[:] = [None if each is None else str(each) for each in series.to_list()]
        return values
    if series.dtype.is_numeric():
        if series.null_count() or series.dtype.is_decimal():
            return np.array([np.nan if each is None else float(each) for each in series.to_list()])
        return np.asarray(series.to_numpy(), np.float64)
    values = np.empty(len(series), object)
    values[:] = series.to_list()
    return compact(values)


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
