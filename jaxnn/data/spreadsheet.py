"""Spreadsheets (.xlsx), through openpyxl: the first sheet that holds something, with one line of names.

Cells have types there. A column of numbers, booleans or dates alone keeps its type; any other is text, which is read as
that of a delimited file, so that numbers stored as text are numbers. Formulae count by the value that was saved with
them. Errors such as `#DIV/0!` are missing values.
"""

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxnn import checks
from jaxnn.data import cells, naming
from jaxnn.data.cells import Kinds
from jaxnn.data.opening import MOST_UNPACKED
from jaxnn.data.parquet import first_line
from jaxnn.data.table import Table
from jaxnn.wording import counted, listed

MOST_CELLS = 20_000_000  # a cell takes some 100 bytes while it is read
ERRORS = frozenset(("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!"))


def read_spreadsheet(name: str, missing: frozenset[str], kinds: Kinds) -> Table:
    """Reads a sheet as a table; whatever a damaged file makes the reader raise becomes a ValueError.

    Raises:
        ValueError: the file is damaged or too large, or its first sheet is not a table.
        ImportError: openpyxl is not installed.
    """
    openpyxl = checks.require("openpyxl", extra="tables", purpose="to read spreadsheets (.xlsx)")
    try:
        with open(name, "rb") as file:
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked > MOST_UNPACKED:
                raise ValueError(f"unpacks to {unpacked:,} bytes, more than {MOST_UNPACKED:,}: save it as CSV")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet, lines, remarks = _first_sheet(book)
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{name!r} cannot be read as a spreadsheet: {first_line(error)}.") from None
    except Exception as error:
        raise ValueError(f"{name!r} cannot be read as a spreadsheet: {first_line(error)}.") from None
    if len(lines) < 2:
        raise ValueError(f"{name!r}, sheet {sheet!r} has {'a line of names but no rows' if lines else 'no cells'}.")
    (first, header), *rows = lines
    width = max(len(row) for _, row in lines)
    where = f"{name!r}, sheet {sheet!r}, row {first}:"
    names = naming.named([_text(each) for each in (*header, *[None] * (width - len(header)))], where)
    columns: dict[str, np.ndarray] = {}
    words: dict[str, tuple[str, str]] = {}
    faulty = []
    for j, each in enumerate(names.names):
        values = [row[j] if j < len(row) else None for _, row in rows]
        if any(value in ERRORS for value in values if isinstance(value, str)):
            values = [None if isinstance(value, str) and value in ERRORS else value for value in values]
            faulty.append(each)
        columns[each] = _column(values, each, missing, kinds)
        if columns[each].dtype == bool and not any(isinstance(value, bool) for value in values):
            spelt = cells.spelling([str(value) for value in values])
            words |= {} if spelt is None else {each: spelt}
    if faulty:
        remarks = (*remarks, f"Cells with errors such as #DIV/0! are missing values, in {listed(faulty)}.")
    table = Table(columns, len(rows), name, remarks=(*remarks, *names.remarks), words=words)
    return naming.settled(table, names.unnamed, needed=(*kinds.text, *kinds.number))


def _first_sheet(book: Any) -> tuple[str, list[tuple[int, Sequence[Any]]], tuple[str, ...]]:
    """The name of the first sheet with cells, its rows that are not blank with their numbers, and remarks."""
    sheets = book.worksheets
    if not sheets:
        raise ValueError("it has no sheet of cells")
    for sheet in sheets:
        lines = list(_rows(sheet))
        if lines or sheet is sheets[-1]:
            break
    others = [each.title for each in sheets if each is not sheet]
    told = f"Read from the sheet {sheet.title!r}; the file has {counted(len(others), 'other sheet')}: {listed(others)}."
    return sheet.title, lines, (told,) if others else ()


def _rows(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows that are not blank, each with its number, without the empty cells at its end."""
    sheet.reset_dimensions()  # the size that the file states need not be true
    count = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        count += len(row) + 1
        if count > MOST_CELLS:
            raise ValueError(f"sheet {sheet.title!r} has more than {MOST_CELLS:,} cells: save it as CSV")
        cells_of_row = [None if isinstance(each, str) and not each.strip() else each for each in row]
        while cells_of_row and cells_of_row[-1] is None:
            cells_of_row.pop()
        if cells_of_row:
            yield number, cells_of_row


def _column(values: list[Any], name: str, missing: frozenset[str], kinds: Kinds) -> np.ndarray:
    """A column of one type as it is, any other as the text of a delimited file."""
    types = {type(value) for value in values} - {type(None)}
    declared = name in kinds.text or missing != cells.USUALLY_MISSING
    if types and types <= {datetime.datetime, datetime.date}:
        read = np.empty(len(values), object)
        read[:] = values
        return read
    if types == {bool} and not declared:
        return cells.compact(np.array(values, object))
    if types and types <= {int, float} and not declared:
        return np.array([np.nan if value is None else float(value) for value in values])
    texts = tuple(map(_text, values))
    for reader in kinds.readers(name, "\t"):
        found = reader(texts, missing)
        if found is not None:
            return found
    raise AssertionError("text can always be read as text")


def _text(value: Any) -> str:
    """A cell as a delimited file would have it: whole numbers without a point, nothing for an empty cell."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
