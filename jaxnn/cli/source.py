"""Where the rows come from: a file, or a data set by name."""

import os
from typing import Any, NamedTuple

from jaxnn.cli.arguments import DATA_SETS, nearest
from jaxnn.cli.text import listed
from jaxnn.data.dataset import Dataset


class Source(NamedTuple):
    """Rows as `Model.predict` takes them, and what else is known of them.

    Attributes:
        name: the file or the data set, as it was given.
        rows: a `data.Table`, or for a data set its array (n, n_columns).
        n_rows: the number of rows.
        dataset: the data set with its targets; None for a file.
    """

    name: str
    rows: Any
    n_rows: int
    dataset: Dataset | None


def read(name: str, fitted: Any = None, **words: Any) -> Source:
    """The rows called `name`: one of `DATA_SETS`, or else a file; `./digits` is a file of that name.

    Args:
        name: the data set or the file.
        fitted: the preprocessing of a model, as whose training rows a file is to be read.
        **words: further words for `data.read_table`.

    Raises:
        ValueError: there is neither, or the file is no table.
        OSError: the file cannot be read.
        ImportError: a library that the data set or the format needs is not installed.
    """
    from jaxnn import data

    if name in DATA_SETS:
        dataset = data.load(name)
        return Source(name, dataset.x, len(dataset.x), dataset)
    if not os.path.exists(name):
        raise ValueError(
            f"There is no file {name!r} and no data set of that name.{nearest(name, DATA_SETS)}"
            f" Data sets: {', '.join(DATA_SETS)}."
        )
    if os.path.isdir(name):
        raise ValueError(f"{name!r} is a folder: give a file (CSV, TSV, Parquet) or a data set ({listed(DATA_SETS)}).")
    table = data.read_table(name, **words if fitted is None else _as_trained(fitted))
    return Source(name, table, len(table), None)


def column(source: Source, name: str) -> Any:
    """The column of that name, or of a data set the targets by their name; None if there is none."""
    if source.dataset is None:
        return source.rows.columns.get(name)
    return source.dataset.y if name == source.dataset.target_name else None


def _as_trained(fitted: Any) -> dict[str, Any]:
    """The words for `data.read_table` by which a file is read as the training rows were."""
    numbers = [each.name for each in fitted.columns if each.kind == "number"]
    words: dict[str, Any] = {"text": fitted.as_text, "number": [*numbers, fitted.target_name]}
    return words | ({"missing": fitted.missing} if fitted.missing else {})
