"""The names of columns: what becomes of columns without a name, and of two with the same.

    first, unnamed, whole numbers or all different     row numbers or row names, as pandas' `to_csv` and R's `write.csv`
                                                       write them: left out
    unnamed, nothing in it                             left out: a delimiter at the end of each line, an empty column
    unnamed otherwise                                  called `column 7` by its place
    a name that has occurred                           called `name (2)`

Each is told in a sentence, which `Table.remarks` keeps.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxnn.data.cells import numbers
from jaxnn.data.table import Table
from jaxnn.wording import listed

MAX_COLUMNS = 100_000
INDEX = ("", "Unnamed: 0", "...1")  # names of a first column that had none; the latter two by pandas and R's readr


class Names(NamedTuple):
    """The names of the columns, all different.

    Attributes:
        names: one for each column.
        unnamed: the names of those that had none in the file, such as `column 7`.
        remarks: what was decided, one sentence each.
    """

    names: list[str]
    unnamed: tuple[str, ...]
    remarks: tuple[str, ...]


def named(header: Sequence[str], where: str) -> Names:
    """The names in the cells of a header.

    Args:
        header: one cell for each column.
        where: the file and the line, for messages.

    Raises:
        ValueError: there are too many columns, none has a name, or the cells are numbers.
    """
    cells = [each.strip() for each in header]
    if len(cells) > MAX_COLUMNS:
        raise ValueError(f"{where} {len(cells)} columns, more than the {MAX_COLUMNS} that are accepted.")
    given = tuple(each for each in cells if each)
    if not given:
        raise ValueError(f"{where} no column has a name: add a line of names at the top.")
    counted = all(each.isdecimal() for each in given) and len(set(given)) == len(given)  # 0, 1, 2: pandas' own names
    if not counted and numbers(given, frozenset()) is not None:
        raise ValueError(f"{where} numbers where the names of the columns should be: add a line of names at the top.")
    names: list[str] = []
    repeated: list[str] = []
    written, seen = set(cells), set()
    for each in cells:
        name, count = each, 1
        while each and (name in seen or (count > 1 and name in written)):
            count += 1
            name = f"{each} ({count})"
        if name != each:
            repeated.append(name)
        names.append(name)
        seen.add(name)
    told = f"Columns of a name that has occurred before are read as {listed(list(map(repr, repeated)))}."
    return _with_places(names, cells, seen, (told,) if repeated else ())


def _with_places(names: list[str], cells: Sequence[str], taken: Collection[str], remarks: tuple[str, ...]) -> Names:
    """Calls the columns without a name by their places."""
    unnamed = []
    for j, cell in enumerate(cells):
        if not cell or (j == 0 and cell in INDEX):
            names[j] = f"column {j + 1}"
            while names[j] in taken:
                names[j] += " (unnamed)"
            unnamed.append(names[j])
    return Names(names, tuple(unnamed), remarks)


def settled(table: Table, unnamed: Collection[str], *, needed: Collection[str] = ()) -> Table:
    """The table without row numbers and empty columns among those that had no name.

    Args:
        table: as read.
        unnamed: the columns without a name, by the names that `named` gave them.
        needed: columns that stay, whatever they hold: a model was trained with them.

    Raises:
        ValueError: most columns that hold values have no name, so that the header is probably not one.
    """
    first = next(iter(table.columns))
    empty = [name for name in unnamed if name not in needed and _is_empty(table.columns[name])]
    labels = [
        name
        for name in unnamed
        if name == first and name not in (*needed, *empty) and _are_row_labels(table.columns[name])
    ]
    gone = {*empty, *labels}
    called = [name for name in unnamed if name not in gone]
    if len(called) > len(table.columns) - len(unnamed):
        raise ValueError(
            f"{table.path!r}: {len(called)} columns that hold values have no name in the first line: is it a title?"
            " Leave one line of names above the rows."
        )
    remarks = [f"The first column has no name and {_described(table.columns[name])}: left out." for name in labels]
    if empty:
        remarks.append(f"Without name and values, so left out: {listed(empty)}.")
    remarks += [f"The column called {name!r} here has no name in the file." for name in called]
    columns = {name: values for name, values in table.columns.items() if name not in gone}
    return replace(table, columns=columns, remarks=(*table.remarks, *remarks))


def _is_empty(values: np.ndarray) -> bool:
    """Whether all values are missing."""
    if values.dtype == object:
        return all(value is None for value in values.tolist())
    return values.dtype.kind == "f" and bool(np.isnan(values).all())


def _are_row_labels(values: np.ndarray) -> bool:
    """Whether they are whole numbers, or all different."""
    if values.dtype.kind == "f" and bool((np.isfinite(values) & (values == np.round(values))).all()):
        return True
    return len(set(values.tolist())) == len(values)


def _described(values: np.ndarray) -> str:
    """What a column of row labels holds."""
    return "numbers the rows" if values.dtype.kind == "f" else "names the rows"
